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
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from .errors import N_, StartError, Unavailable
from .seal import KEY_BYTES, NONCE_BYTES, BrokenSeal, derive_key, seal, unseal

_log = logging.getLogger(__name__)

SPAN = timedelta(seconds=30)
"""Messages that expire within the same span share its key: short enough that the last of a span and
the janitor's next round both fit into the promised minute."""

_NAME_BYTES = 64
_SLOT_BYTES = NONCE_BYTES + KEY_BYTES + _NAME_BYTES + 16
_EMPTY = bytes(_SLOT_BYTES)
_HEAD = "anonchat keys 1"
_SPAN_NAME = "span "


class KeyStore:
    """Named 32-byte keys, wrapped by the secret key; a key is on disk before it is handed out."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path = path
        self._wrap = derive_key(secret.encode(), purpose="wrap")
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._spans: set[str] = set()  # looked through at every round, so not among all the others
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
            self._read()
            if _HEAD not in self._slots:
                self._remember(self._write({_HEAD: self._take_slot()}))
        except OSError as error:
            raise StartError(
                f"ANONCHAT_DATA_DIR: {self._path} cannot be used: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def get(self, name: str) -> bytes | None:
        """Return the key of that name, or `None` if it was destroyed."""
        slot = self._slots.get(name)
        return slot[1] if slot else None

    def names(self) -> Iterable[str]:
        """Return the names of all living keys."""
        return [name for name in self._slots if name != _HEAD]

    def spans(self) -> Iterable[str]:
        """Return the names of the living keys of spans."""
        return list(self._spans)

    async def obtain(self, *names: str) -> list[bytes]:
        """Return the keys of these names; those that do not exist are made, durably, first.

        Raises `Unavailable` if the disk does not take them.
        """
        if any(name not in self._slots for name in names):
            async with self._writing:
                await self._make({*names} - self._slots.keys())
        return [self._slots[name][1] for name in names]

    async def destroy(self, names: Iterable[str]) -> None:
        """Overwrite these keys; what was sealed with them is gone once this returns."""
        async with self._writing:
            doomed = [name for name in names if name in self._slots]
            self._doomed += [self._slots.pop(name)[0] for name in doomed]
            self._spans.difference_update(doomed)
            await self._erase_doomed()

    def _read(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"ANONCHAT_DATA_DIR: {self._path.parent} is in use by another anonchat"
            ) from error
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
        self._spans.update(name for name in slots if name.startswith(_SPAN_NAME))

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
            raise Unavailable(N_("That could not be kept just now. Please try again.")) from error

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
                content = key + name.encode().ljust(_NAME_BYTES, b"\0")
                self._put(number, seal(self._wrap, content, place=str(number)))
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
