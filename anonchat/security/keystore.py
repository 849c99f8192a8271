"""The key store: the encryption keys of text at rest, in a file of slots overwritten in place.

Destroying a key makes everything encrypted with it unreadable, in every copy of the database. This
also works on a full disk, because overwriting a slot needs no new block.
"""

import asyncio
import errno
import fcntl
import heapq
import logging
import os
from bisect import insort
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..crypto import KEY_BYTES, NONCE_BYTES, DecryptionError, decrypt, derive_key, encrypt
from ..errors import N_, StartupError, Unavailable
from ..runtime.files import clean_up_replacement, replace_and_shred, replacement_path, sync_folder

_log = logging.getLogger(__name__)

SPAN = timedelta(seconds=30)
"""Messages that expire within the same span share its key. A span is short enough that the rest of
it and the janitor's interval together fit into the promised minute."""

_NAME_BYTES = 64
_SLOT_BYTES = NONCE_BYTES + KEY_BYTES + _NAME_BYTES + 16
_EMPTY_SLOT = bytes(_SLOT_BYTES)
_HASH_KEY_NAME = "anonchat keys 2"
_PROPOSED_HASH_KEY_NAME = "anonchat keys 2?"  # not yet agreed with the other nodes
_LEGACY_HASH_KEY_NAME = "anonchat keys 1"  # the hash key was derived from the master key
_SPAN_PREFIX = "span "
_STORAGE_FAILED = N_("That could not be kept just now. Please try again.")


class KeyStore:
    """Named 32-byte keys, encrypted with the master key; a key is on disk before it is returned."""

    row_commit_delay = timedelta()
    """How long after a key was received another node may still commit its row."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path = path
        self._secret = secret
        self._wrapping_key = _derive_wrapping_key(secret)
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._spans: dict[int, list[str]] = {}  # key names of each span, newest generation first
        self._initial_names: list[str] = []
        self._free_slots: list[int] = []
        self._pending_erasure: list[int] = []
        self._slot_count = 0
        self._file = -1
        self._write_lock = asyncio.Lock()
        self.is_hash_key_agreed = True
        """Whether the hash key is known to be the one of the site."""

    def open(self) -> None:
        """Read the file, or create it.

        Raises `StartupError` if the file cannot be used, the master key does not decrypt it, or
        another process has it open.
        """
        try:
            self._open_locked()
            clean_up_replacement(self._path)
            self._load()
            if _LEGACY_HASH_KEY_NAME in self._slots:  # keep the derived value
                del self._slots[_LEGACY_HASH_KEY_NAME]
                self._write_hash_key(derive_key(self._secret.encode(), purpose="hash"))
            elif _HASH_KEY_NAME not in self._slots:
                self._create_hash_key()
                sync_folder(self._path.parent)
            self._initial_names = list(self.names())
        except OSError as error:
            raise StartupError(
                f"ANONCHAT_DATA_DIR: {self._path} cannot be used: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def hash_key(self) -> bytes:
        """The key of all keyed hashes; it is constant for the lifetime of the store."""
        return self._slots[_HASH_KEY_NAME][1]

    def rewrap(self, secret: str) -> int:
        """Re-encrypt all keys with another master key, atomically; return the number of keys.

        After a crash the file is either the old one or the new one.
        """
        wrapping_key = _derive_wrapping_key(secret)
        slots = {
            number: _encrypt_slot(wrapping_key, number, name, key)
            for name, (number, key) in self._slots.items()
        }
        new_path = replacement_path(self._path)
        file = os.open(new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)  # before it replaces the file that is locked now
        with os.fdopen(os.dup(file), "wb") as new:
            new.write(
                b"".join(slots.get(number, _EMPTY_SLOT) for number in range(self._slot_count))
            )
            new.flush()
            os.fsync(file)
        replace_and_shred(self._path)
        self.close()
        self._file, self._secret, self._wrapping_key = file, secret, wrapping_key
        return len(slots) - 1

    def get(self, name: str) -> bytes | None:
        """Return the key of this name, or `None` if there is none."""
        slot = self._slots.get(name)
        return slot[1] if slot else None

    def is_destroyed(self, name: str) -> bool:
        """Return whether the key of this name was destroyed or never existed."""
        return self.get(name) is None

    def may_exist_on_peers(self, *names: str) -> bool:
        """Return whether another node may have these keys; always `False` on a single node."""
        return False

    def count(self) -> int:
        """Return the number of keys, without the hash key."""
        return len(self._slots) - (_HASH_KEY_NAME in self._slots)

    def initial_names(self) -> Iterable[str]:
        """Return the names of the keys that the file had at opening and that still exist."""
        return [name for name in self._initial_names if self.get(name) is not None]

    def names(self) -> Iterable[str]:
        """Return the names of all keys, without the hash key."""
        return [name for name in self._slots if name != _HASH_KEY_NAME]

    def spans(self) -> Iterable[int]:
        """Return the numbers of the spans that have keys."""
        return list(self._spans)

    def span_key_names(self, number: int) -> list[str]:
        """Return the names of the keys of a span, newest generation first."""
        return list(self._spans.get(number, ()))

    def has_span(self, number: int) -> bool:
        """Return whether a span has keys."""
        return number in self._spans

    def own_span_key(self, number: int, generation: int) -> str:
        """Return the name of the key that this node encrypts with in a span."""
        return f"{span_key_name(number)} {generation}" if generation else span_key_name(number)

    async def get_or_create(self, *names: str) -> list[bytes]:
        """Return the keys of these names; create missing ones, durably, first.

        Raises `Unavailable` if new keys cannot be written to disk.
        """
        if any(self.get(name) is None for name in names):
            async with self._write_lock:
                missing = {name for name in names if self.get(name) is None}
                await self._store({name: os.urandom(KEY_BYTES) for name in missing})
        return [key for name in names if (key := self.get(name))]

    async def agree_hash_key(self) -> None:
        """Agree on the hash key with the other nodes; does nothing on a single node."""

    async def sync(self) -> None:
        """Start to share all keys with the other nodes; does nothing on a single node."""

    async def reconcile(self) -> None:
        """Send changes that the other nodes have missed; does nothing on a single node."""

    async def flush(self) -> None:
        """Write keys received from other nodes to disk; does nothing on a single node."""

    async def fetch(self, names: Collection[str]) -> None:
        """Request keys that other nodes may have; does nothing on a single node."""

    def record_missing(self, names: Iterable[str]) -> None:
        """Record keys that no node could provide so far; does nothing on a single node."""

    async def destroy(self, names: Iterable[str]) -> None:
        """Overwrite these keys; what was encrypted with them is unreadable afterwards.

        Raises `Unavailable` if the disk fails; the keys are removed from memory nevertheless.
        """
        async with self._write_lock:
            for name in names:
                if name in self._slots:
                    self._pending_erasure.append(self._slots.pop(name)[0])
                    self._remove_from_span(name)
            try:
                await self._erase_pending()
            except OSError as error:  # the next write retries
                _log.error("keys cannot be overwritten on disk, will retry: %s", error.strerror)
                raise Unavailable(_STORAGE_FAILED) from error

    def _create_hash_key(self) -> None:
        self._write_hash_key(os.urandom(KEY_BYTES))

    def _write_hash_key(self, key: bytes, *, is_agreed: bool = True) -> None:
        """Write the hash key to the first slot."""
        name = _HASH_KEY_NAME if is_agreed else _PROPOSED_HASH_KEY_NAME
        self._write_slot(0, _encrypt_slot(self._wrapping_key, 0, name, key))
        os.fsync(self._file)
        self._slots[_HASH_KEY_NAME] = 0, key
        self.is_hash_key_agreed = is_agreed
        self._slot_count = max(self._slot_count, 1)

    def _open_locked(self) -> None:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        in_use = f"ANONCHAT_DATA_DIR: {self._path.parent} is in use by another anonchat"
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartupError(in_use) from error
        if not os.path.samestat(os.fstat(self._file), self._path.stat()):
            raise StartupError(in_use)  # another process has just replaced the file

    def _load(self) -> None:
        data = self._path.read_bytes()
        for number in range(len(data) // _SLOT_BYTES):
            slot = data[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES]
            if slot == _EMPTY_SLOT:
                self._free_slots.append(number)
                continue
            try:
                content = decrypt(self._wrapping_key, slot, associated_data=str(number))
            except DecryptionError as error:
                if number > 0:  # torn by a crash, so its key was never returned to a caller
                    self._free_slots.append(number)
                    continue
                raise StartupError(
                    f"ANONCHAT_SECRET_KEY does not decrypt the keys in {self._path}"
                ) from error
            name = content[KEY_BYTES:].rstrip(b"\0").decode()
            if name == _PROPOSED_HASH_KEY_NAME:
                name, self.is_hash_key_agreed = _HASH_KEY_NAME, False
            self._add_slots({name: (number, content[:KEY_BYTES])})
        self._slot_count = len(data) // _SLOT_BYTES

    def _add_slots(self, slots: dict[str, tuple[int, bytes]]) -> None:
        self._slots.update(slots)
        for name in slots:
            self._add_to_span(name)

    def _add_to_span(self, name: str) -> None:
        if not is_span_key(name):
            return
        names = self._spans.setdefault(span_number(name), [])
        if name not in names:
            insort(names, name, key=lambda each: -key_generation(each))

    def _remove_from_span(self, name: str) -> None:
        if is_span_key(name) and name in (names := self._spans.get(span_number(name), [])):
            names.remove(name)
            if not names:
                del self._spans[span_number(name)]

    async def _store(self, keys: Mapping[str, bytes]) -> None:
        """Write keys to disk; add them to memory once all of them are written."""
        if not keys:
            return
        numbers: dict[str, int] = {}
        try:
            await self._erase_pending()
            numbers = {name: self._allocate_slot() for name in keys}
            await asyncio.to_thread(self._write_keys, keys, numbers)
            self._add_slots({name: (number, keys[name]) for name, number in numbers.items()})
        except OSError as error:
            # Some may be written, and a name must not have two keys in the file.
            self._pending_erasure += numbers.values()
            _log.error("keys cannot be written to disk: %s", error.strerror)
            raise Unavailable(_STORAGE_FAILED) from error

    async def _erase_pending(self) -> None:
        if self._pending_erasure:  # including slots whose erasure failed before
            await asyncio.to_thread(self._erase_slots, self._pending_erasure)
            while self._pending_erasure:
                heapq.heappush(self._free_slots, self._pending_erasure.pop())

    def _allocate_slot(self) -> int:
        if self._free_slots:
            # The lowest: a slot beyond the end of the file needs space that a full disk lacks.
            return heapq.heappop(self._free_slots)
        self._slot_count += 1
        return self._slot_count - 1

    def _write_keys(self, keys: Mapping[str, bytes], numbers: Mapping[str, int]) -> None:
        size = os.fstat(self._file).st_size
        try:
            for name, number in numbers.items():
                self._write_slot(
                    number, _encrypt_slot(self._wrapping_key, number, name, keys[name])
                )
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)  # erasing a partial slot would need space on a full disk
            raise

    def _erase_slots(self, numbers: list[int]) -> None:
        size = os.fstat(self._file).st_size
        for number in numbers:
            if number * _SLOT_BYTES < size:  # a failed write was truncated
                self._write_slot(number, _EMPTY_SLOT)
        os.fsync(self._file)

    def _write_slot(self, number: int, slot: bytes) -> None:
        if os.pwrite(self._file, slot, number * _SLOT_BYTES) < _SLOT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def span_at(moment: datetime) -> int:
    """Return the number of the span that contains `moment`."""
    return int(moment.timestamp() // SPAN.total_seconds())


def span_key_name(number: int) -> str:
    """Return the name of the first key of a span, which prefixes the names of the others."""
    return f"{_SPAN_PREFIX}{number}"


def span_bounds(number: int) -> tuple[datetime, datetime]:
    """Return the start of a span (inclusive) and its end (exclusive)."""
    begin = datetime.fromtimestamp(number * SPAN.total_seconds(), UTC)
    return begin, begin + SPAN


def is_span_key(name: str) -> bool:
    """Return whether a key of this name belongs to a span."""
    return name.startswith(_SPAN_PREFIX)


def span_number(name: str) -> int:
    """Return the number of the span that the key of this name belongs to."""
    return int(name.split()[1])


def key_generation(name: str) -> int:
    """Return the generation of a span's key; each deletion starts a new generation.

    >>> [key_generation(name) for name in ("span 63", "span 63 2", "span 63 2 n1")]
    [0, 2, 2]
    """
    _, _, generation, *_ = [*name.split(), "0"]
    return int(generation)


def can_decrypt_keys(path: Path, secret: str) -> bool:
    """Return whether the file at `path` is a key store that this master key decrypts."""
    return path.exists() and read_hash_key(path, secret) is not None


def read_hash_key(path: Path, secret: str) -> bytes | None:
    """Return the hash key in a file, which may be in use; `None` if it cannot be decrypted."""
    with path.open("rb") as file:
        first_slot = file.read(_SLOT_BYTES)
    try:
        content = decrypt(_derive_wrapping_key(secret), first_slot, associated_data="0")
    except DecryptionError:
        return None
    is_legacy = content[KEY_BYTES:].rstrip(b"\0").decode() == _LEGACY_HASH_KEY_NAME
    return derive_key(secret.encode(), purpose="hash") if is_legacy else content[:KEY_BYTES]


def _derive_wrapping_key(secret: str) -> bytes:
    return derive_key(secret.encode(), purpose="wrap")


def _encrypt_slot(wrapping_key: bytes, number: int, name: str, key: bytes) -> bytes:
    return encrypt(
        wrapping_key, key + name.encode().ljust(_NAME_BYTES, b"\0"), associated_data=str(number)
    )


def room_key_name(room_id: str) -> str:
    """Return the name of the key of a room."""
    return f"room {room_id}"


def visitor_key_name(visitor_id: str) -> str:
    """Return the name of the key of a visitor."""
    return f"visitor {visitor_id}"
