"""Event bus within a process (`Bus`) and between nodes (`ValkeyBus`)."""

from .base import Bus, Listener
from .group_key import GroupKey, GroupKeyAgreement
from .valkey import ValkeyBus

__all__ = ["Bus", "GroupKey", "GroupKeyAgreement", "Listener", "ValkeyBus"]
