"""Events between services and screens; the URL decides what carries them."""

from .base import Bus, Listener
from .memory import MemoryBus

__all__ = ["Bus", "Listener", "MemoryBus"]
