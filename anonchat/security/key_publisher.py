"""Publishes which keys a node has created and destroyed."""

from base64 import b64encode
from collections.abc import Callable, Collection
from contextlib import suppress

from ..bus import Bus
from ..bus.client import ValkeyUnavailable
from ..bus.persistence import PersistenceMonitor
from ..events import KeysCreated, KeysDestroyed
from ..runtime.batches import batches
from .valkey_keys import PIPELINE_MAX, ValkeyKeys


class KeyPublisher:
    """Updates the copies in Valkey and informs the other nodes; later, if Valkey is unavailable.

    While Valkey persists to disk, created keys are not stored in it and remain `unshared`.
    """

    def __init__(
        self,
        copies: ValkeyKeys,
        *,
        persistence: PersistenceMonitor,
        bus: Bus,
        get_key: Callable[[str], bytes | None],
    ) -> None:
        self._copies = copies
        self._persistence = persistence
        self._bus = bus
        self._get_key = get_key
        self.unshared: set[str] = set()
        """Names of keys to be stored in Valkey."""
        self.destroyed: set[str] = set()
        """Names of destroyed keys to be deleted from Valkey."""

    async def publish_created(self, names: Collection[str]) -> None:
        """Publish that this node has created these keys."""
        self.unshared.update(names)
        if self._bus.is_up:
            with suppress(ValkeyUnavailable):
                await self.push(names if self._persistence.is_unsafe else list(self.unshared))

    async def publish_destroyed(self) -> None:
        """Delete destroyed keys from Valkey, and let all nodes destroy them."""
        if not self._bus.is_up:
            return
        with suppress(ValkeyUnavailable):
            for names in batches(list(self.destroyed), PIPELINE_MAX):
                await self._copies.delete(names)
                self._bus.publish_remote(KeysDestroyed(tuple(names)))
                self.destroyed.difference_update(names)

    async def publish_all(self) -> None:
        """Publish everything that was not published so far. Raises `ValkeyUnavailable`."""
        await self.publish_destroyed()
        await self.push(list(self.unshared))

    async def push(self, names: Collection[str]) -> None:
        """Store keys in Valkey, if it may have them, and publish them.

        Raises `ValkeyUnavailable`.
        """
        may_store = not self._persistence.is_unsafe
        for batch in batches(list(names), PIPELINE_MAX):
            encrypted = {
                name: self._copies.encrypt(name, key)
                for name in batch
                if (key := self._get_key(name))
            }
            if may_store:
                await self._copies.store(encrypted)
            texts = {name: b64encode(value).decode() for name, value in encrypted.items()}
            self._bus.publish_remote(KeysCreated(texts, stored=may_store))
        if may_store:
            self.unshared.difference_update(names)
