"""Key store of a node in a cluster: each node keeps all keys in its file; Valkey replicates them.

Valkey holds every key in memory, encrypted with the group key (`bus/group_key.py`), which is never
written to disk. A key is in the file of the node that created it before it is used, so no key is
lost with Valkey or the group key.
"""

import asyncio
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path

from ..bus import Bus, GroupKeyAgreement
from ..bus.client import Valkey, ValkeyUnavailable
from ..bus.persistence import PersistenceMonitor
from ..errors import StartupError, Unavailable
from ..events import Event, EventsLost, KeysCreated, KeysDestroyed
from ..runtime.bounded_dict import BoundedDict
from ..runtime.clock import Clock
from .key_names import is_span_key, span_at, span_key_name, span_number
from .key_publisher import KeyPublisher
from .stored_keys import StoredKeys
from .valkey_keys import ValkeyKeys

_WRITE_BATCH = 500
_DESTROYED_MAX = 20_000
_MISSING_MAX = 20_000
_UNREACHABLE = "ANONCHAT_BUS_URL: no answer from Valkey"


class ReplicatedKeyStore(StoredKeys):
    """Keys that all nodes have (see `KeyStore`).

    The node that creates the row of a room or visitor creates its key; in a span each node encrypts
    with a key of its own, so that no node has to wait for another.

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
        self._copies = ValkeyKeys(valkey, agreement, clock)
        self._persistence = persistence
        self._publisher = KeyPublisher(
            self._copies, persistence=persistence, bus=bus, get_key=self.get
        )
        self._bus = bus
        self._clock = clock
        self._sync_lock = asyncio.Lock()
        self._unwritten: dict[str, bytes] = {}  # keys of other nodes that are not in the file yet
        # Recently destroyed, so never accepted again; and recently missed, which may arrive later.
        self._destroyed: BoundedDict[str, None] = BoundedDict(_DESTROYED_MAX)
        self._missing: BoundedDict[str, None] = BoundedDict(_MISSING_MAX)
        self._data_id = ""
        self._is_syncing = False
        self._is_behind = False
        self._write_task: asyncio.Task[None] | None = None
        bus.subscribe(self._on_event)

    def open(self) -> None:
        """Read the file, or create it with a hash key to propose. Raises `StartupError`."""
        self._load(self._file.open(is_new_hash_key_agreed=False))

    def own_span_key(self, number: int, generation: int) -> str:
        """Return the name of the key that this node encrypts with in a span."""
        return f"{span_key_name(number)} {generation} {self._node}"

    def is_destroyed(self, name: str) -> bool:
        """Return `False`: another node may have the key."""
        return False

    def may_exist_on_peers(self, *names: str) -> bool:
        """Return whether another node may have these keys, or other keys of the same spans."""
        return not any(name in self._destroyed for name in names)

    async def get_or_create(self, *names: str) -> list[bytes]:
        """Return the keys of these names; create missing ones, durably, and share them.

        Raises `Unavailable` if new keys cannot be written to disk.
        """
        missing = {name for name in names if self.get(name) is None}
        keys = await super().get_or_create(*names)
        if missing:
            await self._publisher.publish_created(missing)
        return keys

    async def fetch(self, names: Collection[str]) -> None:
        """Read keys from Valkey (of a span, all keys); do nothing while it is unavailable."""
        if self._bus.is_up:
            with suppress(ValkeyUnavailable):
                self._add_received(await self._copies.read(names))

    def record_missing(self, names: Iterable[str]) -> None:
        """Record keys that were not found: when one arrives, a gap in the events is reported."""
        self._missing |= dict.fromkeys(name for name in names if self.get(name) is None)

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
                self._publisher.destroyed.update(shared)
                await self._publisher.publish_destroyed()

    async def agree_hash_key(self) -> None:
        """Adopt the hash key of the other nodes; if they have none, propose this node's.

        `sync` confirms it, once the database was found to belong to it. Raises `StartupError` if
        the keys of this node belong to another site.
        """
        try:
            hash_key = await self._copies.read_hash_key()
            if hash_key is None and not self.is_hash_key_agreed:
                hash_key = await self._copies.propose_hash_key(self.hash_key)
        except ValkeyUnavailable as error:
            raise StartupError(_UNREACHABLE) from error
        if hash_key and hash_key != self.hash_key:
            if self._initial_names:
                raise StartupError(
                    "ANONCHAT_DATA_DIR: the keys there are not those of the other nodes; set it to "
                    "the right folder, or remove this one to join the other nodes"
                )
            self._file.write_hash_key(hash_key, is_agreed=False)

    async def sync(self) -> None:
        """Start to share all keys with the other nodes, once the database was found to be theirs.

        Raises `StartupError` if Valkey is unavailable.
        """
        try:
            if not self.is_hash_key_agreed:
                self._file.write_hash_key(self.hash_key)
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
                    await self._publisher.publish_all()
                    await self._copies.renew()

    async def flush(self) -> None:
        """Write keys received from other nodes to disk."""
        if self._write_task:
            await self._write_task

    async def _on_event(self, event: Event) -> None:
        match event:
            case KeysCreated(keys, stored):
                found = {name: b64decode(encrypted) for name, encrypted in keys.items()}
                self._add_received(found)
                if not stored:
                    self._publisher.unshared.update(name for name in found if self.get(name))
            case KeysDestroyed(names):
                with suppress(Unavailable):  # the next write erases them
                    await self._destroy_here(names)
            case EventsLost():
                self._is_behind = True
                await self.reconcile()

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
            self._add_received(await self._copies.read_all())
            return False
        await self._copies.store_hash_key(self.hash_key)
        data_id = await self._copies.read_data_id()
        if data_id != self._data_id:  # Valkey has lost its data, or this is the first contact
            self._publisher.unshared.update(self.names())
            self._publisher.destroyed.update(self._destroyed)  # other nodes may have stored them
        await self._publisher.publish_all()
        before = set(self.names())
        found = await self._copies.read_all()
        self._add_received(found)
        if data_id == self._data_id:
            # Span keys are excluded: they expire by the clocks of Valkey and of each node.
            compared = {name for name in before if not is_span_key(name)}
            absent = compared - found.keys() - self._publisher.unshared
            present = await self._copies.read(absent) if absent else {}
            # Check last: a Valkey that lost its data meanwhile lacks keys that were not destroyed.
            if data_id == await self._copies.read_data_id():
                with suppress(Unavailable):
                    await self._destroy_here(absent - present.keys())
        self._data_id = data_id
        return True

    def _add_received(self, found: Mapping[str, bytes]) -> None:
        """Add keys of other nodes to memory, and start to write them to disk."""
        self._publisher.destroyed.update(name for name in found if name in self._destroyed)
        new = {
            name: key
            for name, encrypted in found.items()
            if self.get(name) is None
            and name not in self._destroyed
            and (key := self._copies.decrypt(name, encrypted))
        }
        self._add(new)
        self._unwritten |= new
        if new and (self._write_task is None or self._write_task.done()):
            self._write_task = asyncio.create_task(self._write_received(), name="keys")
        arrived = {*new, *(span_key_name(span_number(name)) for name in new if is_span_key(name))}
        if late := self._missing.keys() & arrived:
            for name in late:
                del self._missing[name]
            self._bus.report_gap()  # rows that were skipped without these keys are readable now

    async def _write_received(self) -> None:
        """Write received keys to disk: the node that created them may be lost."""
        with suppress(Unavailable):  # the next received key starts another attempt
            while self._unwritten:
                async with self._write_lock:
                    batch = dict(islice(self._unwritten.items(), _WRITE_BATCH))
                    await self._write(batch)
                    for name in batch:
                        self._unwritten.pop(name, None)

    async def _destroy_here(self, names: Iterable[str]) -> None:
        names = list(names)
        self._destroyed |= dict.fromkeys(names)
        self._remove(name for name in names if self._unwritten.pop(name, None))
        self._publisher.unshared.difference_update(names)
        await super().destroy(names)
