"""Key store of a node in a cluster: each node keeps all keys in its file; Valkey replicates them.

Valkey holds every key in memory, encrypted with the group key (`bus/group_key.py`), which is never
written to disk. A key is in the file of the node that created it before it is used, so no key is
lost with Valkey or the group key.
"""

import asyncio
import logging
import os
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from ..bus import Bus, GroupKey, GroupKeyAgreement
from ..bus.client import NO_EVICTION, Command, Valkey, ValkeyUnavailable
from ..bus.persistence import PersistenceMonitor
from ..crypto import KEY_BYTES, DecryptionError, decrypt, encrypt
from ..errors import StartupError, Unavailable
from ..events import Event, EventsLost, KeysCreated, KeysDestroyed
from ..ids import new_id
from ..runtime.clock import Clock
from .keystore import KeyStore, is_span_key, span_at, span_bounds, span_key_name, span_number

_VALKEY_PREFIX = "anonchat:keys:"  # followed by the id of the group key
_EXPIRY_MS = 3_600_000  # renewed by every node that has the group key
_DATA_ID_FIELD = "birth"
_HASH_KEY_FIELD = "head"
_PROPOSED_HASH_KEY_FIELD = "proposed head"
_RESERVED_FIELDS = {_DATA_ID_FIELD, _HASH_KEY_FIELD, _PROPOSED_HASH_KEY_FIELD}
_BATCH = 500
_DESTROYED_MAX = 20_000
_MISSING_MAX = 20_000
_UNREACHABLE = "ANONCHAT_BUS_URL: no answer from Valkey"
_log = logging.getLogger(__name__)

_Name = TypeVar("_Name", str, bytes)


class ReplicatedKeyStore(KeyStore):
    """Keys that all nodes have. The node that creates the row of a room or visitor creates its key;
    in a span each node encrypts with a key of its own, so that no node has to wait for another.

    While Valkey is unavailable each node works with the keys it has and creates, and shares them
    later. While Valkey persists to disk keys are only published, not stored in it; a node that is
    disconnected meanwhile receives them later.
    """

    row_commit_delay = timedelta(minutes=2)  # longer than any transaction

    def __init__(
        self,
        path: Path,
        secret: str,
        *,
        node: str,
        valkey: Valkey,
        persistence: PersistenceMonitor,
        bus: Bus,
        agreement: GroupKeyAgreement,
        clock: Clock,
    ) -> None:
        super().__init__(path, secret)
        self._node = node
        self._valkey = valkey
        self._persistence = persistence
        self._bus = bus
        self._clock = clock
        self._agreement = agreement
        self._sync_lock = asyncio.Lock()
        self._received: dict[str, bytes] = {}  # keys of other nodes that are not in the file yet
        self._unshared: set[str] = set()
        self._destroyed: OrderedDict[str, None] = OrderedDict()  # recent; never accepted again
        self._unpublished_destroyed: set[str] = set()  # destroyed here, but not in Valkey yet
        self._missing: OrderedDict[str, None] = OrderedDict()  # recent; they may arrive later
        self._data_id = ""
        self._is_syncing = False
        self._is_behind = False
        self._store_task: asyncio.Task[None] | None = None
        bus.subscribe(self._on_event)

    def get(self, name: str) -> bytes | None:
        """Return the key of this name, or `None` if this node does not have it."""
        return super().get(name) or self._received.get(name)

    def is_destroyed(self, name: str) -> bool:
        """Return `False`: another node may have the key."""
        return False

    def may_exist_on_peers(self, *names: str) -> bool:
        """Return whether another node may have these keys, or other keys of the same spans."""
        return not any(name in self._destroyed for name in names)

    def names(self) -> Iterable[str]:
        """Return the names of all keys that this node has."""
        return [*super().names(), *self._received]

    def own_span_key(self, number: int, generation: int) -> str:
        """Return the name of the key that this node encrypts with in a span."""
        return f"{span_key_name(number)} {generation} {self._node}"

    async def get_or_create(self, *names: str) -> list[bytes]:
        """Return the keys of these names; create missing ones, durably, and share them.

        Raises `Unavailable` if new keys cannot be written to disk.
        """
        missing = {name for name in names if self.get(name) is None}
        keys = await super().get_or_create(*names)
        if missing:
            await self._share(missing)
        return keys

    async def fetch(self, names: Collection[str]) -> None:
        """Read keys from Valkey (of a span, all keys); do nothing while it is unavailable."""
        if self._bus.is_up:
            with suppress(ValkeyUnavailable):
                self._add_received(await self._read_keys(names))

    def record_missing(self, names: Iterable[str]) -> None:
        """Record keys that were not found: when one arrives, a gap in the events is reported."""
        self._missing |= dict.fromkeys(name for name in names if self.get(name) is None)
        _evict_oldest(self._missing, _MISSING_MAX)

    async def destroy(self, names: Iterable[str]) -> None:
        """Destroy these keys on this node, and soon on all nodes.

        Raises `Unavailable` if the disk fails; the keys are removed from memory nevertheless.
        """
        names = list(names)
        try:
            await self._destroy_here(names)
        finally:
            current = span_at(self._clock())
            shared = [
                name for name in names if not is_span_key(name) or span_number(name) >= current
            ]
            if shared:  # every node destroys keys of past spans by itself
                self._unpublished_destroyed.update(shared)
                await self._publish_destroyed()

    async def agree_hash_key(self) -> None:
        """Adopt the hash key of the other nodes; if they have none, propose this node's.

        `sync` confirms it, once the database was found to belong to it. Raises `StartupError` if
        the keys of this node belong to another site.
        """
        try:
            hash_key = await self._read_hash_key(_HASH_KEY_FIELD)
            if hash_key is None and not self.is_hash_key_agreed:
                field = _PROPOSED_HASH_KEY_FIELD
                proposed = self._encrypt_key(field, self.hash_key)
                await self._valkey.call("HSETNX", self._valkey_key(), field, proposed)
                hash_key = await self._read_hash_key(field)
            policy = await self._valkey.read_policy()
        except ValkeyUnavailable as error:
            raise StartupError(_UNREACHABLE) from error
        if policy != NO_EVICTION:  # only a warning, because each node has its keys on disk
            _log.warning(
                "Valkey evicts keys when its memory is full: its maxmemory-policy is %s and has to "
                "be %s",
                policy,
                NO_EVICTION,
            )
        if hash_key and hash_key != self.hash_key:
            if self._initial_names:
                raise StartupError(
                    "ANONCHAT_DATA_DIR: the keys there are not those of the other nodes; set it to "
                    "the right folder, or remove this one to join the other nodes"
                )
            self._write_hash_key(hash_key, is_agreed=False)

    async def sync(self) -> None:
        """Start to share all keys with the other nodes, once the database was found to be theirs.

        Raises `StartupError` if Valkey is unavailable.
        """
        try:
            if not self.is_hash_key_agreed:
                self._write_hash_key(self.hash_key)
            self._is_syncing = self._is_behind = True
            async with self._sync_lock:
                await self._catch_up_if_behind()
        except ValkeyUnavailable as error:
            raise StartupError(_UNREACHABLE) from error

    async def reconcile(self) -> None:
        """Send Valkey the changes that it has missed, if it is available now."""
        async with self._sync_lock:
            if self._bus.is_up and self._is_syncing:
                with suppress(ValkeyUnavailable):  # the next call retries
                    await self._catch_up_if_behind()
                    await self._publish_destroyed()
                    await self._push(list(self._unshared))
                    await self._valkey.call("PEXPIRE", self._valkey_key(), _EXPIRY_MS)

    async def flush(self) -> None:
        """Write keys received from other nodes to disk."""
        if self._store_task:
            await self._store_task

    def _create_hash_key(self) -> None:
        """Create a hash key to propose; the site uses it unless another node was first."""
        self._write_hash_key(os.urandom(KEY_BYTES), is_agreed=False)

    async def _on_event(self, event: Event) -> None:
        match event:
            case KeysCreated(keys, stored):
                found = {name: b64decode(encrypted) for name, encrypted in keys.items()}
                self._add_received(found)
                if not stored:
                    self._unshared.update(name for name in found if self.get(name))
            case KeysDestroyed(names):
                with suppress(Unavailable):  # the next write erases them
                    await self._destroy_here(names)
            case EventsLost():
                self._is_behind = True
                await self.reconcile()

    async def _share(self, names: Collection[str]) -> None:
        """Send keys to Valkey and to all nodes; later, if Valkey is unavailable."""
        self._unshared.update(names)
        if self._bus.is_up:
            with suppress(ValkeyUnavailable):
                await self._push(names if self._persistence.is_unsafe else list(self._unshared))

    async def _push(self, names: Collection[str]) -> None:
        """Store keys in Valkey, unless it persists to disk, and publish them."""
        may_store = not self._persistence.is_unsafe
        for batch in _batches(list(names)):
            keys = {name: key for name in batch if (key := self.get(name))}
            encrypted = {name: self._encrypt_key(name, key) for name, key in keys.items()}
            if may_store:
                await self._valkey.call_pipeline(
                    [each for pair in encrypted.items() for each in self._store_commands(*pair)]
                )
            texts = {name: b64encode(value).decode() for name, value in encrypted.items()}
            self._bus.publish_remote(KeysCreated(texts, stored=may_store))
        if may_store:
            self._unshared.difference_update(names)

    def _store_commands(self, name: str, encrypted: bytes) -> list[Command]:
        if not is_span_key(name):
            return [("HSET", self._valkey_key(), name, encrypted)]
        number = span_number(name)
        _, end = span_bounds(number)
        left_ms = max(1, int((end - self._clock()).total_seconds() * 1000))
        valkey_key = self._valkey_key_of_span(number)
        return [("HSET", valkey_key, name, encrypted), ("PEXPIRE", valkey_key, left_ms)]

    async def _publish_destroyed(self) -> None:
        """Delete destroyed keys from Valkey, and let all nodes destroy them."""
        if not self._bus.is_up:
            return
        with suppress(ValkeyUnavailable):
            for names in _batches(list(self._unpublished_destroyed)):
                await self._valkey.call_pipeline(
                    [("HDEL", self._valkey_key_of(name), name) for name in names]
                )
                self._bus.publish_remote(KeysDestroyed(tuple(names)))
                self._unpublished_destroyed.difference_update(names)

    async def _catch_up_if_behind(self) -> None:
        if self._is_behind:
            self._is_behind = False  # before the await: more events may be missed meanwhile
            is_done = False
            try:
                is_done = await self._catch_up()
            finally:
                self._is_behind = self._is_behind or not is_done

    async def _catch_up(self) -> bool:
        """Send keys that Valkey lacks, read those it has, destroy those destroyed elsewhere.

        Return whether all of it was done: nothing is stored while Valkey persists to disk.
        """
        await self._persistence.check()  # Valkey may have been restarted with other options
        if self._persistence.is_unsafe:
            self._add_received(await self._read_all())
            return False
        encrypted = self._encrypt_key(_HASH_KEY_FIELD, self.hash_key)
        await self._valkey.call("HSET", self._valkey_key(), _HASH_KEY_FIELD, encrypted)
        data_id = await self._read_data_id()
        if data_id != self._data_id:  # Valkey has lost its data, or this is the first contact
            self._unshared.update(self.names())
            self._unpublished_destroyed.update(self._destroyed)  # other nodes may have stored them
        await self._publish_destroyed()
        await self._push(list(self._unshared))
        before = set(self.names())
        found = await self._read_all()
        self._add_received(found)
        if data_id == self._data_id:
            # Span keys are excluded: they expire by the clocks of Valkey and of each node.
            compared = {name for name in before if not is_span_key(name)}
            absent = compared - found.keys() - self._unshared
            present = await self._read_keys(absent) if absent else {}
            # Check last: a Valkey that lost its data meanwhile lacks keys that were not destroyed.
            if data_id == await self._read_data_id():
                with suppress(Unavailable):
                    await self._destroy_here(absent - present.keys())
        self._data_id = data_id
        return True

    async def _read_data_id(self) -> str:
        """Return the id of the data in Valkey, which changes whenever Valkey loses data."""
        # In the same hash as the keys, so that deleting the keys deletes the id too.
        valkey_key = self._valkey_key()
        await self._valkey.call("HSETNX", valkey_key, _DATA_ID_FIELD, new_id())
        info, data_id = await self._valkey.call_pipeline(
            [("INFO", "server"), ("HGET", valkey_key, _DATA_ID_FIELD)]
        )
        if data_id is None:
            raise ValkeyUnavailable("it has just lost its data")
        return f"{valkey_key} {info['run_id']} {data_id.decode()}"

    async def _read_keys(self, names: Collection[str]) -> dict[str, bytes]:
        spans = {span_number(name) for name in names if is_span_key(name)}
        others = [name for name in names if not is_span_key(name)]
        commands: list[Command] = [("HGETALL", self._valkey_key_of_span(n)) for n in spans]
        if others:
            commands.append(("HMGET", self._valkey_key(), *others))
        replies = await self._valkey.call_pipeline(commands)
        found: dict[str, bytes] = {}
        for pairs in replies[: len(spans)]:
            found |= {name.decode(): encrypted for name, encrypted in pairs.items()}
        if others:
            found |= {name: key for name, key in zip(others, replies[-1], strict=True) if key}
        return found

    async def _read_all(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        valkey_key, cursor = self._valkey_key(), -1
        while cursor:
            cursor, pairs = await self._valkey.call(
                "HSCAN", valkey_key, max(cursor, 0), "COUNT", 1000
            )
            found |= {name.decode(): encrypted for name, encrypted in pairs.items()}
        for field in _RESERVED_FIELDS:
            found.pop(field, None)
        cursor, valkey_keys = -1, set[bytes]()
        while cursor:
            pattern = f"{valkey_key} {span_key_name(0)[:-1]}*"
            cursor, page = await self._valkey.call(
                "SCAN", max(cursor, 0), "MATCH", pattern, "COUNT", 1000
            )
            valkey_keys.update(page)
        for batch in _batches(sorted(valkey_keys)):
            for pairs in await self._valkey.call_pipeline([("HGETALL", each) for each in batch]):
                found |= {name.decode(): encrypted for name, encrypted in pairs.items()}
        return found

    def _add_received(self, found: Mapping[str, bytes]) -> None:
        """Add keys of other nodes to memory, and start to write them to disk."""
        self._unpublished_destroyed.update(name for name in found if name in self._destroyed)
        new = {
            name: key
            for name, encrypted in found.items()
            if self.get(name) is None
            and name not in self._destroyed
            and (key := self._decrypt_key(name, encrypted))
        }
        self._received.update(new)
        for name in new:
            self._add_to_span(name)
        if new and (self._store_task is None or self._store_task.done()):
            self._store_task = asyncio.create_task(self._store_received(), name="keys")
        arrived = {*new, *(span_key_name(span_number(name)) for name in new if is_span_key(name))}
        if late := self._missing.keys() & arrived:
            for name in late:
                del self._missing[name]
            self._bus.report_gap()  # rows that were skipped without these keys are readable now

    async def _store_received(self) -> None:
        """Write received keys to disk: the node that created them may be lost."""
        with suppress(Unavailable):  # the next received key starts another attempt
            while self._received:
                async with self._write_lock:
                    batch = dict(list(self._received.items())[:_BATCH])
                    await self._store(batch)
                    for name in batch:
                        self._received.pop(name, None)

    async def _destroy_here(self, names: Iterable[str]) -> None:
        names = list(names)
        self._destroyed |= dict.fromkeys(names)
        _evict_oldest(self._destroyed, _DESTROYED_MAX)
        for name in names:
            if self._received.pop(name, None) and is_span_key(name):
                self._remove_from_span(name)
        self._unshared.difference_update(names)
        await super().destroy(names)

    async def _read_hash_key(self, field: str) -> bytes | None:
        encrypted = await self._valkey.call("HGET", self._valkey_key(), field)
        return self._decrypt_key(field, encrypted) if encrypted else None

    def _valkey_key(self) -> str:
        """Return the Valkey key of the hash with the keys of rooms and visitors.

        Each group key has its own hash.
        """
        return _VALKEY_PREFIX + self._group.id

    def _valkey_key_of_span(self, number: int) -> str:
        return f"{self._valkey_key()} {span_key_name(number)}"

    def _valkey_key_of(self, name: str) -> str:
        return (
            self._valkey_key_of_span(span_number(name)) if is_span_key(name) else self._valkey_key()
        )

    @property
    def _group(self) -> GroupKey:
        if self._agreement.current is None:
            raise ValkeyUnavailable("no group key yet")
        return self._agreement.current

    def _encrypt_key(self, name: str, key: bytes) -> bytes:
        return encrypt(self._group.wrapping_key, key, associated_data=name)

    def _decrypt_key(self, name: str, encrypted: bytes) -> bytes | None:
        try:
            return decrypt(self._group.wrapping_key, encrypted, associated_data=name)
        except DecryptionError:
            return None


def _evict_oldest(names: OrderedDict[str, None], size_max: int) -> None:
    while len(names) > size_max:
        names.popitem(last=False)


def _batches(names: list[_Name]) -> Iterable[list[_Name]]:
    return (names[start : start + _BATCH] for start in range(0, len(names), _BATCH))
