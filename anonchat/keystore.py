"""The keys that text at rest is sealed with, in a file whose slots are overwritten in place.

Destroying a key forgets everything that was sealed with it, in every copy of the database. That
works on a full disk too, for an overwritten slot needs no new block.
"""

import asyncio
import errno
import fcntl
import heapq
import logging
import os
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .errors import N_, StartError, Unavailable
from .files import new_beside, put_in_place, sync_folder, tidy
from .seal import KEY_BYTES, NONCE_BYTES, BrokenSeal, derive_key, seal, unseal

_log = logging.getLogger(__name__)

SPAN = timedelta(seconds=30)
"""Messages that expire within the same span share its key: short enough that the last of a span and
the janitor's next round both fit into the promised minute."""

_NAME_BYTES = 64
_SLOT_BYTES = NONCE_BYTES + KEY_BYTES + _NAME_BYTES + 16
_EMPTY = bytes(_SLOT_BYTES)
_HEAD = "anonchat keys 2"
_PROPOSED_HEAD = "anonchat keys 2?"  # made by one of several nodes that has not met the others yet
_FIRST_HEAD = "anonchat keys 1"
_SPAN_NAME = "span "
_LATER = N_("That could not be kept just now. Please try again.")


class KeyStore:
    """Named 32-byte keys, wrapped by the secret key; a key is on disk before it is handed out."""

    row_delay = timedelta()
    """How long after a key was heard of its row may still be committed by another node."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path = path
        self._secret = secret
        self._wrap = _wrapper(secret)
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._spans: dict[int, set[str]] = {}  # looked through at every round, so by themselves
        self._inherited: list[str] = []
        self._free: list[int] = []
        self._doomed: list[int] = []
        self._size = 0
        self._file = -1
        self._writing = asyncio.Lock()
        self.is_head_agreed = True
        """Whether the key of all hashes is that of the site for certain."""

    def open(self) -> None:
        """Read the file, or make it.

        Raises `StartError` if the file cannot be used, the secret key does not open it, or another
        process has it open.
        """
        try:
            self._take()
            tidy(self._path)
            self._read()
            if _FIRST_HEAD in self._slots:  # it used to be derived from the secret, and stays
                del self._slots[_FIRST_HEAD]
                self._put_head(derive_key(self._secret.encode(), purpose="hash"))
            elif _HEAD not in self._slots:
                self._make_head()
                sync_folder(self._path.parent)
            self._inherited = list(self.names())
        except OSError as error:
            raise StartError(
                f"ANONCHAT_DATA_DIR: {self._path} cannot be used: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def hash_key(self) -> bytes:
        """The key of all hashes; it stays the same for as long as the store does."""
        return self._slots[_HEAD][1]

    def rewrap(self, secret: str) -> int:
        """Wrap all keys with another secret, in one step; return how many there are.

        A crash leaves the file as it was, or as it is to be.
        """
        wrap = _wrapper(secret)
        slots = {
            number: _pack(wrap, number, name, key) for name, (number, key) in self._slots.items()
        }
        beside = new_beside(self._path)
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)  # nobody shall come in between
        with os.fdopen(os.dup(file), "wb") as new:
            new.write(b"".join(slots.get(number, _EMPTY) for number in range(self._size)))
            new.flush()
            os.fsync(file)
        put_in_place(self._path)
        self.close()
        self._file, self._secret, self._wrap = file, secret, wrap
        return len(slots) - 1

    def get(self, name: str) -> bytes | None:
        """Return the key of that name, or `None` if it was destroyed."""
        slot = self._slots.get(name)
        return slot[1] if slot else None

    def is_gone(self, name: str) -> bool:
        """Tell whether there is no key of that name any more."""
        return self.get(name) is None

    def may_be_elsewhere(self, *names: str) -> bool:
        """Tell whether another node may know these keys. There are no others."""
        return False

    def count(self) -> int:
        """Return how many keys live."""
        return len(self._slots) - (_HEAD in self._slots)

    def inherited(self) -> Iterable[str]:
        """Return the names of the living keys that were there when the store was opened."""
        return [name for name in self._inherited if self.get(name) is not None]

    def names(self) -> Iterable[str]:
        """Return the names of all living keys."""
        return [name for name in self._slots if name != _HEAD]

    def spans(self) -> Iterable[int]:
        """Return the numbers of the spans that have living keys."""
        return list(self._spans)

    def names_of_span(self, number: int) -> list[str]:
        """Return the names of the living keys of a span, the newest generation first."""
        return sorted(self._spans.get(number, ()), key=generation_of, reverse=True)

    def own_of_span(self, number: int, generation: int) -> str:
        """Return the name of the key that this node seals with in a span."""
        return f"{span_key(number)} {generation}" if generation else span_key(number)

    async def obtain(self, *names: str) -> list[bytes]:
        """Return the keys of these names; those that do not exist are made, durably, first.

        Raises `Unavailable` if the disk does not take them.
        """
        if any(self.get(name) is None for name in names):
            async with self._writing:
                missing = {name for name in names if self.get(name) is None}
                await self._keep({name: os.urandom(KEY_BYTES) for name in missing})
        return [key for name in names if (key := self.get(name))]

    async def meet(self) -> None:
        """Agree with the other nodes on the key of all hashes. There are no others."""

    async def join(self) -> None:
        """Share all keys with the other nodes, from now on. There are no others."""

    async def mend(self) -> None:
        """Do what the other nodes could not be told when it was time. There are no others."""

    async def finish(self) -> None:
        """Write down what the other nodes have made. There are no others."""

    async def fetch(self, names: Collection[str]) -> None:
        """Ask for keys that others may have made. There are no others."""

    def miss(self, names: Iterable[str]) -> None:
        """Note what was asked for in vain. There are no others who might bring it."""

    async def destroy(self, names: Iterable[str]) -> None:
        """Overwrite these keys; what was sealed with them is gone once this returns.

        Raises `Unavailable` if the disk refuses; they open nothing any more nevertheless.
        """
        async with self._writing:
            for name in names:
                if name in self._slots:
                    self._doomed.append(self._slots.pop(name)[0])
                    self._strike(name)
            try:
                await self._erase_doomed()
            except OSError as error:  # they are tried again with whatever is written next
                _log.error("keys cannot be overwritten: %s", error.strerror)
                raise Unavailable(_LATER) from error

    def _make_head(self) -> None:
        """Make the key of all hashes."""
        self._put_head(os.urandom(KEY_BYTES))

    def _put_head(self, key: bytes, *, is_agreed: bool = True) -> None:
        """Let this be the key of all hashes, which stands in the first slot."""
        name = _HEAD if is_agreed else _PROPOSED_HEAD
        self._put(0, _pack(self._wrap, 0, name, key))
        os.fsync(self._file)
        self._slots[_HEAD] = 0, key
        self.is_head_agreed = is_agreed
        self._size = max(self._size, 1)

    def _take(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        in_use = f"ANONCHAT_DATA_DIR: {self._path.parent} is in use by another anonchat"
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(in_use) from error
        if not os.path.samestat(os.fstat(self._file), self._path.stat()):
            raise StartError(in_use)  # somebody has put another in its place just now

    def _read(self) -> None:
        data = self._path.read_bytes()
        for number in range(len(data) // _SLOT_BYTES):
            slot = data[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES]
            if slot == _EMPTY:
                self._free.append(number)
                continue
            try:
                content = unseal(self._wrap, slot, place=str(number))
            except BrokenSeal as error:
                if number > 0:  # a slot that was torn by a crash was never handed out
                    self._free.append(number)
                    continue
                raise StartError(
                    f"ANONCHAT_SECRET_KEY does not open the keys in {self._path}"
                ) from error
            name = content[KEY_BYTES:].rstrip(b"\0").decode()
            if name == _PROPOSED_HEAD:
                name, self.is_head_agreed = _HEAD, False
            self._remember({name: (number, content[:KEY_BYTES])})
        self._size = len(data) // _SLOT_BYTES

    def _remember(self, slots: dict[str, tuple[int, bytes]]) -> None:
        self._slots.update(slots)
        for name in slots:
            if is_of_span(name):
                self._spans.setdefault(number_of(name), set()).add(name)

    def _strike(self, name: str) -> None:
        if is_of_span(name):
            number = number_of(name)
            self._spans.get(number, set()).discard(name)
            if not self._spans.get(number):
                self._spans.pop(number, None)

    async def _keep(self, keys: Mapping[str, bytes]) -> None:
        """Write keys down; none is known before all are on disk."""
        if not keys:
            return
        places: dict[str, int] = {}
        try:
            await self._erase_doomed()
            places = {name: self._take_slot() for name in keys}
            await asyncio.to_thread(self._write, keys, places)
            self._remember({name: (place, keys[name]) for name, place in places.items()})
        except OSError as error:
            self._doomed += places.values()  # some may be written; two keys of a name must not be
            _log.error("no key can be stored: %s", error.strerror)
            raise Unavailable(_LATER) from error

    async def _erase_doomed(self) -> None:
        if self._doomed:  # among them those that the disk refused to erase the last time
            await asyncio.to_thread(self._erase, self._doomed)
            while self._doomed:
                heapq.heappush(self._free, self._doomed.pop())

    def _take_slot(self) -> int:
        if self._free:
            return heapq.heappop(self._free)  # the first, for the last may lie beyond a full disk
        self._size += 1
        return self._size - 1

    def _write(self, keys: Mapping[str, bytes], places: Mapping[str, int]) -> None:
        size = os.fstat(self._file).st_size
        try:
            for name, place in places.items():
                self._put(place, _pack(self._wrap, place, name, keys[name]))
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)  # a full disk must not be asked for the rest of a slot
            raise

    def _erase(self, numbers: list[int]) -> None:
        size = os.fstat(self._file).st_size
        for number in numbers:
            if number * _SLOT_BYTES < size:  # what lies beyond was given back as it failed
                self._put(number, _EMPTY)
        os.fsync(self._file)

    def _put(self, number: int, slot: bytes) -> None:
        if os.pwrite(self._file, slot, number * _SLOT_BYTES) < _SLOT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def span_of(moment: datetime) -> int:
    """Return the number of the span around `moment`."""
    return int(moment.timestamp() // SPAN.total_seconds())


def span_key(number: int) -> str:
    """Return the name of the first key of a span, with which the names of all others begin."""
    return f"{_SPAN_NAME}{number}"


def span_bounds(number: int) -> tuple[datetime, datetime]:
    """Return the first moment of a span, and the first that is not in it any more."""
    begin = datetime.fromtimestamp(number * SPAN.total_seconds(), UTC)
    return begin, begin + SPAN


def is_of_span(name: str) -> bool:
    """Tell whether the key of this name is for a span."""
    return name.startswith(_SPAN_NAME)


def number_of(name: str) -> int:
    """Return the number of the span that the key of this name is for."""
    return int(name.split()[1])


def generation_of(name: str) -> int:
    """Return the generation that a key of a span belongs to: each deletion begins another.

    >>> [generation_of(name) for name in ("span 63", "span 63 2", "span 63 2 n1")]
    [0, 2, 2]
    """
    _, _, generation, *_ = [*name.split(), "0"]
    return int(generation)


def opens(path: Path, secret: str) -> bool:
    """Tell whether the file at `path` is a key store that this secret opens."""
    return path.exists() and read_hash_key(path, secret) is not None


def read_hash_key(path: Path, secret: str) -> bytes | None:
    """Return the key of all hashes in a file that may be in use, or `None` if it does not open."""
    with path.open("rb") as file:
        head = file.read(_SLOT_BYTES)
    try:
        content = unseal(_wrapper(secret), head, place="0")
    except BrokenSeal:
        return None
    is_first = content[KEY_BYTES:].rstrip(b"\0").decode() == _FIRST_HEAD
    return derive_key(secret.encode(), purpose="hash") if is_first else content[:KEY_BYTES]


def _wrapper(secret: str) -> bytes:
    return derive_key(secret.encode(), purpose="wrap")


def _pack(wrap: bytes, number: int, name: str, key: bytes) -> bytes:
    return seal(wrap, key + name.encode().ljust(_NAME_BYTES, b"\0"), place=str(number))


def room_key(room_id: str) -> str:
    """Return the name of the key of a room."""
    return f"room {room_id}"


def visitor_key(visitor_id: str) -> str:
    """Return the name of the key of a visitor."""
    return f"visitor {visitor_id}"
