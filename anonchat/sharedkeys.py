"""The keys of one of many nodes: each keeps all of them in a file, and Valkey brings them round.

Valkey holds every living key in its memory, wrapped by the group key (`bus/group_key.py`), which is
written down nowhere. A key is in the file of the node that made it before it is used, so losing
Valkey, or the group key, loses none.
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

from .bus import Bus, GroupKey, GroupKeyAgreement
from .clock import Clock
from .errors import StartError, Unavailable
from .events import Event, KeysDestroyed, KeysMade, NewsMissed
from .ids import new_id
from .keystore import KeyStore, is_of_span, number_of, span_bounds, span_key, span_of
from .persistence import PersistenceWatch
from .seal import KEY_BYTES, BrokenSeal, seal, unseal
from .valkey import KEEPS_ALL, Command, Valkey, ValkeyLost

_PLACE = "anonchat:keys:"  # followed by the id of the group key
_PLACE_MS = 3_600_000  # after the last node that has that key
_BIRTH = "birth"
_HEAD = "head"
_PROPOSED_HEAD = "proposed head"
_OTHER_FIELDS = {_BIRTH, _HEAD, _PROPOSED_HEAD}
_AT_ONCE = 500
_DESTROYED_MOST = 20_000
_MISSING_MOST = 20_000
_log = logging.getLogger(__name__)

_Name = TypeVar("_Name", str, bytes)


class SharedKeys(KeyStore):
    """Keys that all nodes know. Those of rooms and visitors are made once, by whoever makes the
    row; in a span each node seals with a key of its own, so that none has to wait for another.

    While Valkey is away each node goes on with the keys it knows and those it makes, and shares
    them later. While it writes to disk keys are not stored in it, but published only: who was cut
    off meanwhile learns them later.
    """

    row_delay = timedelta(minutes=2)  # no transaction lives for so long

    def __init__(
        self,
        path: Path,
        secret: str,
        *,
        node: str,
        valkey: Valkey,
        persistence: PersistenceWatch,
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
        self._mending = asyncio.Lock()
        self._heard: dict[str, bytes] = {}  # keys of others that are not in the file yet
        self._unshared: set[str] = set()
        self._destroyed: OrderedDict[str, None] = OrderedDict()  # lately: they do not come back
        self._undestroyed: set[str] = set()  # in Valkey
        self._missing: OrderedDict[str, None] = OrderedDict()  # lately: they may come
        self._birth = ""
        self._has_joined = False
        self._is_behind = False
        self._noting: asyncio.Task[None] | None = None
        bus.subscribe(self._on_event)

    def get(self, name: str) -> bytes | None:
        """Return the key of that name, if it is known here."""
        return super().get(name) or self._heard.get(name)

    def is_gone(self, name: str) -> bool:
        """Return no: what is not known here may be known to another node."""
        return False

    def may_be_elsewhere(self, *names: str) -> bool:
        """Tell whether another node may know these keys, of spans others too."""
        return not any(name in self._destroyed for name in names)

    def names(self) -> Iterable[str]:
        """Return the names of all living keys that are known here."""
        return [*super().names(), *self._heard]

    def own_of_span(self, number: int, generation: int) -> str:
        """Return the name of the key that this node seals with in a span."""
        return f"{span_key(number)} {generation} {self._node}"

    async def obtain(self, *names: str) -> list[bytes]:
        """Return the keys of these names; those that do not exist are made, durably, and shared.

        Raises `Unavailable` if the disk does not take them.
        """
        missing = {name for name in names if self.get(name) is None}
        keys = await super().obtain(*names)
        if missing:
            await self._share(missing)
        return keys

    async def fetch(self, names: Collection[str]) -> None:
        """Ask Valkey for keys, of a span for all there are; without it there are none to learn."""
        if self._bus.is_up:
            with suppress(ValkeyLost):
                self._learn(await self._ask_for(names))

    def miss(self, names: Iterable[str]) -> None:
        """Note what was asked for in vain: when it comes, there is news that was missed."""
        self._missing |= dict.fromkeys(name for name in names if self.get(name) is None)
        _forget_oldest(self._missing, _MISSING_MOST)

    async def destroy(self, names: Iterable[str]) -> None:
        """Destroy these keys here, and soon on all nodes.

        Raises `Unavailable` if the disk refuses; they open nothing here any more nevertheless.
        """
        names = list(names)
        try:
            await self._destroy_here(names)
        finally:
            current = span_of(self._clock())
            told = [name for name in names if not is_of_span(name) or number_of(name) >= current]
            if told:  # of spans that are over every node knows by itself
                self._undestroyed.update(told)
                await self._remove()

    async def meet(self) -> None:
        """Take over the key of all hashes of the other nodes; if they have none, propose ours.

        It counts once the database was found to belong to it (`join`). Raises `StartError` if the
        keys here are of another site.
        """
        try:
            head = await self._read_head(_HEAD)
            if head is None and not self.is_head_agreed:
                place, proposed = self._place(), self._wrap_up(_PROPOSED_HEAD, self.hash_key)
                await self._valkey.call("HSETNX", place, _PROPOSED_HEAD, proposed)
                head = await self._read_head(_PROPOSED_HEAD)
            policy = await self._valkey.read_policy()
        except ValkeyLost as error:
            raise StartError("ANONCHAT_BUS_URL: nobody answers there") from error
        if policy != KEEPS_ALL:  # no reason to stay away: each node has all keys that it has heard
            _log.warning(
                "Valkey lets go of keys when its memory is full: its maxmemory-policy is %s and "
                "has to be %s",
                policy,
                KEEPS_ALL,
            )
        if head and head != self.hash_key:
            if self._inherited:
                raise StartError(
                    "ANONCHAT_DATA_DIR: the keys there are not those of the other nodes; name the "
                    "right folder, or remove this one to join them"
                )
            self._put_head(head, is_agreed=False)

    async def join(self) -> None:
        """Share all keys with the other nodes from now on; the database is found to be theirs.

        Raises `StartError`.
        """
        try:
            if not self.is_head_agreed:
                self._put_head(self.hash_key)
            self._has_joined = self._is_behind = True
            async with self._mending:
                await self._catch_up_if_behind()
        except ValkeyLost as error:
            raise StartError("ANONCHAT_BUS_URL: nobody answers there") from error

    async def mend(self) -> None:
        """Do what Valkey could not be told when it was time, if it can be told now."""
        async with self._mending:
            if self._bus.is_up and self._has_joined:
                with suppress(ValkeyLost):  # the next round tries again
                    await self._catch_up_if_behind()
                    await self._remove()
                    await self._push(list(self._unshared))
                    await self._valkey.call("PEXPIRE", self._place(), _PLACE_MS)

    async def finish(self) -> None:
        """Write down what the other nodes have made."""
        if self._noting:
            await self._noting

    def _make_head(self) -> None:
        """Make a key of all hashes; it is that of the site unless another node was first."""
        self._put_head(os.urandom(KEY_BYTES), is_agreed=False)

    async def _on_event(self, event: Event) -> None:
        match event:
            case KeysMade(keys, stored):
                found = {name: b64decode(wrapped) for name, wrapped in keys.items()}
                self._learn(found)
                if not stored:
                    self._unshared.update(name for name in found if self.get(name))
            case KeysDestroyed(names):
                with suppress(Unavailable):  # they are erased with whatever is written next
                    await self._destroy_here(names)
            case NewsMissed():
                self._is_behind = True
                await self.mend()

    async def _share(self, names: Collection[str]) -> None:
        """Bring keys to Valkey and to all nodes; later, if Valkey is away."""
        self._unshared.update(names)
        if self._bus.is_up:
            with suppress(ValkeyLost):
                await self._push(names if self._persistence.is_unsafe else list(self._unshared))

    async def _push(self, names: Collection[str]) -> None:
        """Store keys in Valkey, unless it writes to disk, and publish them."""
        may_store = not self._persistence.is_unsafe
        for some in _parts(list(names)):
            keys = {name: key for name in some if (key := self.get(name))}
            wrapped = {name: self._wrap_up(name, key) for name, key in keys.items()}
            some = list(wrapped)
            if may_store:
                await self._valkey.call_all(
                    [each for name in some for each in self._put_commands(name, wrapped[name])]
                )
            texts = {name: b64encode(wrapped[name]).decode() for name in some}
            self._bus.send(KeysMade(texts, stored=may_store))
        if may_store:
            self._unshared.difference_update(names)

    def _put_commands(self, name: str, wrapped: bytes) -> list[Command]:
        if not is_of_span(name):
            return [("HSET", self._place(), name, wrapped)]
        number = number_of(name)
        _, end = span_bounds(number)
        left = max(1, int((end - self._clock()).total_seconds() * 1000))
        place = self._place_of_span(number)
        return [("HSET", place, name, wrapped), ("PEXPIRE", place, left)]

    async def _remove(self) -> None:
        """Take what was destroyed out of Valkey, and let all nodes destroy it."""
        if not self._bus.is_up:
            return
        with suppress(ValkeyLost):
            for names in _parts(list(self._undestroyed)):
                await self._valkey.call_all(
                    [("HDEL", self._place_of(name), name) for name in names]
                )
                self._bus.send(KeysDestroyed(tuple(names)))
                self._undestroyed.difference_update(names)

    async def _catch_up_if_behind(self) -> None:
        if self._is_behind:
            self._is_behind = False  # here, for more may be missed meanwhile
            is_done = False
            try:
                is_done = await self._catch_up()
            finally:
                self._is_behind = self._is_behind or not is_done

    async def _catch_up(self) -> bool:
        """Bring what Valkey lacks, learn what it has, and destroy what was destroyed elsewhere.

        Tell whether all that could be done: nothing is stored while it writes to disk.
        """
        await self._persistence.look()  # it may have been started again with other options
        if self._persistence.is_unsafe:
            self._learn(await self._read_all())
            return False
        head = self._wrap_up(_HEAD, self.hash_key)
        await self._valkey.call("HSET", self._place(), _HEAD, head)
        birth = await self._read_birth()
        if birth != self._birth:  # it has forgotten all, or we have never met
            self._unshared.update(self.names())
            self._undestroyed.update(self._destroyed)  # others may have brought them back
        await self._remove()
        await self._push(list(self._unshared))
        before = set(self.names())
        found = await self._read_all()
        self._learn(found)
        if birth == self._birth:
            # Of spans Valkey keeps by its own clock; every node knows by itself when they are over.
            kept = {name for name in before if not is_of_span(name)}
            lost = kept - found.keys() - self._unshared
            still = await self._ask_for(lost) if lost else {}
            # At the end, for a Valkey that has begun anew meanwhile lacks what was not destroyed.
            if birth == await self._read_birth():
                with suppress(Unavailable):
                    await self._destroy_here(lost - still.keys())
        self._birth = birth
        return True

    async def _read_birth(self) -> str:
        """Return what stays the same for as long as Valkey forgets nothing."""
        # Among the keys themselves: who removes one removes the other.
        place = self._place()
        await self._valkey.call("HSETNX", place, _BIRTH, new_id())
        info, birth = await self._valkey.call_all([("INFO", "server"), ("HGET", place, _BIRTH)])
        if birth is None:
            raise ValkeyLost("it has just forgotten everything")
        return f"{place} {info['run_id']} {birth.decode()}"

    async def _ask_for(self, names: Collection[str]) -> dict[str, bytes]:
        spans = {number_of(name) for name in names if is_of_span(name)}
        others = [name for name in names if not is_of_span(name)]
        commands: list[Command] = [("HGETALL", self._place_of_span(n)) for n in spans]
        if others:
            commands.append(("HMGET", self._place(), *others))
        answers = await self._valkey.call_all(commands)
        found: dict[str, bytes] = {}
        for pairs in answers[: len(spans)]:
            found |= {name.decode(): wrapped for name, wrapped in pairs.items()}
        if others:
            found |= {n: wrapped for n, wrapped in zip(others, answers[-1], strict=True) if wrapped}
        return found

    async def _read_all(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        place, cursor = self._place(), -1
        while cursor:
            cursor, pairs = await self._valkey.call("HSCAN", place, max(cursor, 0), "COUNT", 1000)
            found |= {name.decode(): wrapped for name, wrapped in pairs.items()}
        for field in _OTHER_FIELDS:
            found.pop(field, None)
        cursor, places = -1, set[bytes]()
        while cursor:
            pattern = f"{place} {span_key(0)[:-1]}*"
            cursor, some = await self._valkey.call(
                "SCAN", max(cursor, 0), "MATCH", pattern, "COUNT", 1000
            )
            places.update(some)
        for part in _parts(sorted(places)):
            for pairs in await self._valkey.call_all([("HGETALL", place) for place in part]):
                found |= {name.decode(): wrapped for name, wrapped in pairs.items()}
        return found

    def _learn(self, found: Mapping[str, bytes]) -> None:
        """Take in keys of others."""
        self._undestroyed.update(name for name in found if name in self._destroyed)
        fresh = {
            name: key
            for name, wrapped in found.items()
            if self.get(name) is None
            and name not in self._destroyed
            and (key := self._unwrap(name, wrapped))
        }
        self._heard.update(fresh)
        for name in fresh:
            if is_of_span(name):
                self._spans.setdefault(number_of(name), set()).add(name)
        if fresh and (self._noting is None or self._noting.done()):
            self._noting = asyncio.create_task(self._note(), name="keys")
        known = {*fresh, *(span_key(number_of(name)) for name in fresh if is_of_span(name))}
        if late := self._missing.keys() & known:
            for name in late:
                del self._missing[name]
            self._bus.miss()  # what was left out for want of them can be shown now

    async def _note(self) -> None:
        """Write down what was heard: the one that made it may be gone for ever."""
        with suppress(Unavailable):  # the rest is written with the next that is heard
            while self._heard:
                async with self._writing:
                    some = dict(list(self._heard.items())[:_AT_ONCE])
                    await self._keep(some)
                    for name in some:
                        self._heard.pop(name, None)

    async def _destroy_here(self, names: Iterable[str]) -> None:
        names = list(names)
        self._destroyed |= dict.fromkeys(names)
        _forget_oldest(self._destroyed, _DESTROYED_MOST)
        for name in names:
            if self._heard.pop(name, None) and is_of_span(name):
                self._strike(name)
        self._unshared.difference_update(names)
        await super().destroy(names)

    async def _read_head(self, field: str) -> bytes | None:
        wrapped = await self._valkey.call("HGET", self._place(), field)
        return self._unwrap(field, wrapped) if wrapped else None

    def _place(self) -> str:
        """Return where keys lie in Valkey: with another group key everything lies elsewhere."""
        return _PLACE + self._group.id

    def _place_of_span(self, number: int) -> str:
        return f"{self._place()} {span_key(number)}"

    def _place_of(self, name: str) -> str:
        return self._place_of_span(number_of(name)) if is_of_span(name) else self._place()

    @property
    def _group(self) -> GroupKey:
        if self._agreement.current is None:
            raise ValkeyLost("no group key yet")
        return self._agreement.current

    def _wrap_up(self, name: str, key: bytes) -> bytes:
        return seal(self._group.of_keys, key, place=name)

    def _unwrap(self, name: str, wrapped: bytes) -> bytes | None:
        try:
            return unseal(self._group.of_keys, wrapped, place=name)
        except BrokenSeal:
            return None


def _forget_oldest(names: OrderedDict[str, None], most: int) -> None:
    while len(names) > most:
        names.popitem(last=False)


def _parts(names: list[_Name]) -> Iterable[list[_Name]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))
