"""Event bus within a process (`MemoryBus`) and between nodes (`ValkeyBus`)."""

from .base import Bus, Listener
from .group_key import GroupKey, GroupKeyAgreement
from .memory import MemoryBus
from .valkey import ValkeyBus

__all__ = ["Bus", "GroupKey", "GroupKeyAgreement", "Listener", "MemoryBus", "ValkeyBus"]
