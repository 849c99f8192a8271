"""Events between services and screens, and between nodes; the URL decides what carries them."""

from .base import Bus, Listener
from .memory import MemoryBus
from .valkey import ValkeyBus

__all__ = ["Bus", "Listener", "MemoryBus", "ValkeyBus"]
