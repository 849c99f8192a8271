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
from collections.abc import Collection, Iterable
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
_FIRST_HEAD = "anonchat keys 1"
_SPAN_NAME = "span "
_LATER = N_("That could not be kept just now. Please try again.")


class KeyStore:
    """Named 32-byte keys, wrapped by the secret key; a key is on disk before it is handed out."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path = path
        self._secret = secret
        self._wrap = _wrapper(secret)
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._spans: set[str] = set()  # looked through at every round, so not among all the others
        self._renewed: dict[str, list[str]] = {}  # spans whose key is not the first, oldest first
        self._free: list[int] = []
        self._doomed: list[int] = []
        self._size = 0
        self._file = -1
        self._writing = asyncio.Lock()

    def open(self) -> None:
        """Read the file, or make it.

        Raises `StartError` if the file cannot be used, the secret key does not open it, or another
        process has it open.
        """
        try:
            self._take()
            tidy(self._path)
            self._read()
            if _FIRST_HEAD in self._slots:
                self._renew_head()
            elif _HEAD not in self._slots:
                self._remember(self._write({_HEAD: self._take_slot()}))
                sync_folder(self._path.parent)
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
        """Return the key of that name, the newest, or `None` if it was destroyed."""
        slot = self._slots.get(self._names_of(name)[-1] if name in self._renewed else name)
        return slot[1] if slot else None

    def older(self, name: str) -> list[bytes]:
        """Return the keys that the newest one of this name is about to replace."""
        return [self._slots[older][1] for older in self._names_of(name)[:-1]]

    def renewing(self) -> list[str]:
        """Return the names of which there is more than one key."""
        return [name for name, names in self._renewed.items() if len(names) > 1]

    def count(self) -> int:
        """Return how many keys live."""
        return len(self._slots) - (_HEAD in self._slots)

    def names(self) -> Iterable[str]:
        """Return the names of all living keys."""
        return [name for name in self._slots if name != _HEAD]

    def _names_of(self, name: str) -> list[str]:
        return self._renewed.get(name, [name])

    def spans(self) -> Iterable[str]:
        """Return the names of the living keys of spans."""
        return list(self._spans)

    async def obtain(self, *names: str) -> list[bytes]:
        """Return the keys of these names; those that do not exist are made, durably, first.

        Raises `Unavailable` if the disk does not take them.
        """
        if any(self.get(name) is None for name in names):
            async with self._writing:
                await self._make({name for name in names if self.get(name) is None})
        return [key for name in names if (key := self.get(name))]

    async def renew(self, span: str) -> None:
        """Make another key for a span, durably; until `drop_older` both of them open.

        Raises `Unavailable` if the disk does not take it.
        """
        async with self._writing:
            if self.get(span) is not None:
                newest = self._names_of(span)[-1]
                number = int(newest.removeprefix(span) or 0)
                await self._make({f"{span} {number + 1}"})

    async def drop_older(self, span: str, keys: Collection[bytes]) -> None:
        """Overwrite those of the older keys of a span that are named here."""
        older = self._names_of(span)[:-1]
        await self._destroy([name for name in older if self._slots[name][1] in keys])

    async def destroy(self, names: Iterable[str]) -> None:
        """Overwrite these keys; what was sealed with them is gone once this returns.

        Raises `Unavailable` if the disk refuses; they open nothing any more nevertheless.
        """
        await self._destroy([each for name in names for each in self._names_of(name)])

    async def _destroy(self, names: Iterable[str]) -> None:
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

    def _renew_head(self) -> None:
        """Keep the key of all hashes that used to be derived from the secret."""
        number, _ = self._slots.pop(_FIRST_HEAD)
        key = derive_key(self._secret.encode(), purpose="hash")
        self._put(number, _pack(self._wrap, number, _HEAD, key))
        os.fsync(self._file)
        self._slots[_HEAD] = number, key

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
            self._remember({name: (number, content[:KEY_BYTES])})
        self._size = len(data) // _SLOT_BYTES

    def _remember(self, slots: dict[str, tuple[int, bytes]]) -> None:
        self._slots.update(slots)
        for name in slots:
            if name.startswith(_SPAN_NAME):
                self._enter(name)

    def _enter(self, name: str) -> None:
        """Note a key of a span: its name is followed by a number, unless it is the first."""
        span, number = _parse(name)
        if number or span in self._renewed:
            known = self._renewed.get(span, [span] if span in self._spans else [])
            self._renewed[span] = sorted([*known, name], key=lambda name: _parse(name)[1])
        self._spans.add(span)

    def _strike(self, name: str) -> None:
        if not name.startswith(_SPAN_NAME):
            return
        span, _ = _parse(name)
        left = [other for other in self._names_of(span) if other != name]
        if left:
            self._renewed[span] = left
        else:
            self._renewed.pop(span, None)
            self._spans.discard(span)

    async def _make(self, names: set[str]) -> None:
        if not names:
            return
        fresh: dict[str, int] = {}
        try:
            await self._erase_doomed()
            fresh = {name: self._take_slot() for name in names}
            self._remember(await asyncio.to_thread(self._write, fresh))
        except OSError as error:
            self._doomed += fresh.values()  # some may be written; two keys of a name must not be
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

    def _write(self, fresh: dict[str, int]) -> dict[str, tuple[int, bytes]]:
        size = os.fstat(self._file).st_size
        keys = {}
        try:
            for name, number in fresh.items():
                key = os.urandom(KEY_BYTES)
                self._put(number, _pack(self._wrap, number, name, key))
                keys[name] = number, key
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)  # a full disk must not be asked for the rest of a slot
            raise
        return keys

    def _erase(self, numbers: list[int]) -> None:
        size = os.fstat(self._file).st_size
        for number in numbers:
            if number * _SLOT_BYTES < size:  # what lies beyond was given back as it failed
                self._put(number, _EMPTY)
        os.fsync(self._file)

    def _put(self, number: int, slot: bytes) -> None:
        if os.pwrite(self._file, slot, number * _SLOT_BYTES) < _SLOT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def span_start(name: str) -> datetime:
    """Return the first moment of the span whose key has this name."""
    number = int(name.removeprefix(_SPAN_NAME))
    return datetime.fromtimestamp(number * SPAN.total_seconds(), UTC)


def span_bounds(moment: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of a span, and the first that is not in it any more."""
    begin = span_start(span_key(moment))
    return begin, begin + SPAN


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


def _parse(name: str) -> tuple[str, int]:
    """Part the name of a span's key into the name of the span and the number of the key."""
    _, span, *number = name.split()
    return f"{_SPAN_NAME}{span}", int(number[0]) if number else 0


def _wrapper(secret: str) -> bytes:
    return derive_key(secret.encode(), purpose="wrap")


def _pack(wrap: bytes, number: int, name: str, key: bytes) -> bytes:
    return seal(wrap, key + name.encode().ljust(_NAME_BYTES, b"\0"), place=str(number))


def span_key(moment: datetime) -> str:
    """Return the name of the key for all messages that expire in the span around `moment`."""
    return f"{_SPAN_NAME}{int(moment.timestamp() // SPAN.total_seconds())}"


def ended_spans(names: Iterable[str], now: datetime) -> list[str]:
    """Return those of these spans that are over at `now`."""
    current = int(now.timestamp() // SPAN.total_seconds())
    return [name for name in names if int(name.removeprefix(_SPAN_NAME)) < current]


def room_key(room_id: str) -> str:
    """Return the name of the key of a room."""
    return f"room {room_id}"


def visitor_key(visitor_id: str) -> str:
    """Return the name of the key of a visitor."""
    return f"visitor {visitor_id}"
