"""The key file: slots of one size, each encrypted with the secret key and overwritten in place.

Erasing a slot makes everything encrypted with its key unreadable, in every copy of the database.
This also works on a full disk, because overwriting a slot needs no new block.
"""

import errno
import fcntl
import heapq
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from threading import Lock

from ..crypto import KEY_BYTES, NONCE_BYTES, DecryptionError, decrypt, derive_key, encrypt
from ..errors import StartupError
from ..runtime.files import clean_up_replacement, replace_and_shred, replacement_path, sync_folder

_NAME_BYTES = 64
_SLOT_BYTES = NONCE_BYTES + KEY_BYTES + _NAME_BYTES + 16
_EMPTY_SLOT = bytes(_SLOT_BYTES)
_HASH_KEY_SLOT = 0
_HASH_KEY_NAME = "anonchat keys 2"
_PROPOSED_HASH_KEY_NAME = "anonchat keys 2?"  # not yet agreed with the other nodes
_LEGACY_HASH_KEY_NAME = "anonchat keys 1"  # the hash key was derived from the secret key


class KeyFile:
    """Keys on disk, by name; one process at a time has the file open."""

    def __init__(self, path: Path, secret: str) -> None:
        self._path = path
        self._secret = secret
        self._wrapping_key = _derive_wrapping_key(secret)
        self._slots: dict[str, int] = {}
        self._free_slots: list[int] = []
        self._unerased_slots: list[int] = []
        self._slot_count = 1  # the first one is for the hash key
        self._descriptor = -1
        self._lock = Lock()  # a cancelled caller releases its own while the thread still writes
        self.hash_key = b""
        self.is_hash_key_agreed = True
        """Whether the hash key is known to be the one of the site."""

    def open(self, *, is_new_hash_key_agreed: bool = True) -> dict[str, bytes]:
        """Return all keys except the hash key; create the file, and a hash key, if it is missing.

        Raises `StartupError` if the file cannot be used, the secret key does not decrypt it, or
        another process has it open.
        """
        try:
            self._open_locked()
            clean_up_replacement(self._path)
            keys = self._load()
            if not self.hash_key:
                self.write_hash_key(os.urandom(KEY_BYTES), is_agreed=is_new_hash_key_agreed)
                sync_folder(self._path.parent)
        except OSError as error:
            raise StartupError(
                f"ANONCHAT_DATA_DIR: {self._path} cannot be used: {error.strerror}"
            ) from error
        return keys

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def write_hash_key(self, key: bytes, *, is_agreed: bool = True) -> None:
        """Write the hash key, and whether it is agreed with the other nodes or only proposed."""
        name = _HASH_KEY_NAME if is_agreed else _PROPOSED_HASH_KEY_NAME
        self._write_slot(_HASH_KEY_SLOT, name, key)
        os.fsync(self._descriptor)
        self.hash_key, self.is_hash_key_agreed = key, is_agreed

    def write(self, keys: Mapping[str, bytes]) -> None:
        """Write keys durably: all of them or, if `OSError` is raised, none."""
        with self._lock:
            self._erase(keys)  # a name must not have two keys in the file
            size = os.fstat(self._descriptor).st_size
            slots = {name: self._allocate_slot() for name in keys}
            try:
                for name, number in slots.items():
                    self._write_slot(number, name, keys[name])
                os.fsync(self._descriptor)
            except OSError:
                self._unerased_slots += slots.values()
                # Erasing a partial slot would need space on a full disk.
                os.ftruncate(self._descriptor, size)
                raise
            self._slots |= slots

    def erase(self, names: Collection[str]) -> None:
        """Overwrite these keys; if `OSError` is raised, the next write or erasure retries."""
        with self._lock:
            self._erase(names)

    def rewrap(self, keys: Mapping[str, bytes], secret: str) -> None:
        """Replace the file atomically by one with these keys, encrypted with another secret key.

        After a crash the file is either the old one or the new one.
        """
        new = KeyFile(replacement_path(self._path), secret)
        new.open()  # locked before it replaces the file that is locked now
        new.write_hash_key(self.hash_key, is_agreed=self.is_hash_key_agreed)
        new.write(keys)
        replace_and_shred(self._path)
        self.close()
        self._descriptor = new._descriptor

    def _open_locked(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        in_use = f"ANONCHAT_DATA_DIR: {self._path.parent} is in use by another anonchat"
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartupError(in_use) from error
        if not os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
            raise StartupError(in_use)  # another process has just replaced the file

    def _load(self) -> dict[str, bytes]:
        data, keys = self._path.read_bytes(), dict[str, bytes]()
        self._slot_count = max(1, len(data) // _SLOT_BYTES)
        self._load_hash_key(data[:_SLOT_BYTES])
        for number in range(1, self._slot_count):
            slot = data[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES]
            if content := _decrypt_slot(self._wrapping_key, number, slot):
                name, keys[name] = content
                self._slots[name] = number
            else:
                self._free_slots.append(number)
        return keys

    def _load_hash_key(self, slot: bytes) -> None:
        if len(slot) < _SLOT_BYTES or slot == _EMPTY_SLOT:  # new, or torn by a crash at creation
            return
        content = _decrypt_hash_key(self._secret, slot)
        if content is None:
            raise StartupError(f"ANONCHAT_SECRET_KEY does not decrypt the keys in {self._path}")
        name, self.hash_key = content
        self.is_hash_key_agreed = name != _PROPOSED_HASH_KEY_NAME
        if name == _LEGACY_HASH_KEY_NAME:
            self.write_hash_key(self.hash_key)

    def _erase(self, names: Collection[str]) -> None:
        self._unerased_slots += [self._slots.pop(name) for name in names if name in self._slots]
        if not self._unerased_slots:
            return
        size = os.fstat(self._descriptor).st_size
        for number in self._unerased_slots:
            if number * _SLOT_BYTES < size:  # a failed write was truncated
                self._write_bytes(number, _EMPTY_SLOT)
        os.fsync(self._descriptor)
        while self._unerased_slots:
            heapq.heappush(self._free_slots, self._unerased_slots.pop())

    def _allocate_slot(self) -> int:
        if self._free_slots:
            # The lowest: a slot beyond the end of the file needs space that a full disk lacks.
            return heapq.heappop(self._free_slots)
        self._slot_count += 1
        return self._slot_count - 1

    def _write_slot(self, number: int, name: str, key: bytes) -> None:
        content = key + name.encode().ljust(_NAME_BYTES, b"\0")
        self._write_bytes(number, encrypt(self._wrapping_key, content, associated_data=str(number)))

    def _write_bytes(self, number: int, slot: bytes) -> None:
        if os.pwrite(self._descriptor, slot, number * _SLOT_BYTES) < _SLOT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_hash_key(path: Path, secret: str) -> bytes | None:
    """Return the hash key in a file, which may be in use; `None` if it cannot be decrypted."""
    with path.open("rb") as file:
        content = _decrypt_hash_key(secret, file.read(_SLOT_BYTES))
    return content and content[1]


def _decrypt_hash_key(secret: str, slot: bytes) -> tuple[str, bytes] | None:
    content = _decrypt_slot(_derive_wrapping_key(secret), _HASH_KEY_SLOT, slot)
    if content and content[0] == _LEGACY_HASH_KEY_NAME:
        return _LEGACY_HASH_KEY_NAME, derive_key(secret.encode(), purpose="hash")
    return content


def _decrypt_slot(wrapping_key: bytes, number: int, slot: bytes) -> tuple[str, bytes] | None:
    """Return the name and the key; `None` if the slot is empty, or torn by a crash and unused."""
    if slot == _EMPTY_SLOT:
        return None
    try:
        content = decrypt(wrapping_key, slot, associated_data=str(number))
    except DecryptionError:
        return None
    return content[KEY_BYTES:].rstrip(b"\0").decode(), content[:KEY_BYTES]


def _derive_wrapping_key(secret: str) -> bytes:
    return derive_key(secret.encode(), purpose="wrap")
