"""Keys in memory and in the key file of this node."""

import asyncio
import logging
import os
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..crypto import KEY_BYTES
from ..errors import Unavailable
from .key_file import KeyFile
from .key_names import is_span_key, key_generation, span_number

_log = logging.getLogger(__name__)


class StoredKeys:
    """What a key store does on this node alone, with other nodes or without (see `KeyStore`)."""

    def __init__(self, path: Path, secret: str) -> None:
        self._file = KeyFile(path, secret)
        self._keys: dict[str, bytes] = {}
        self._spans: dict[int, list[str]] = {}  # key names of each span, newest generation first
        self._initial_names: list[str] = []
        self._write_lock = asyncio.Lock()

    @property
    def hash_key(self) -> bytes:
        """The key of all keyed hashes."""
        return self._file.hash_key

    @property
    def is_hash_key_agreed(self) -> bool:
        """Whether the hash key is known to be the one of the site."""
        return self._file.is_hash_key_agreed

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def get(self, name: str) -> bytes | None:
        """Return the key of this name, or `None` if this node does not have it."""
        return self._keys.get(name)

    def names(self) -> list[str]:
        """Return the names of all keys, without the hash key."""
        return list(self._keys)

    def initial_names(self) -> list[str]:
        """Return the names of the keys that the file had at opening and that still exist."""
        return [name for name in self._initial_names if name in self._keys]

    def spans(self) -> list[int]:
        """Return the numbers of the spans that have keys."""
        return list(self._spans)

    def span_key_names(self, number: int) -> list[str]:
        """Return the names of the keys of a span, newest generation first."""
        return list(self._spans.get(number, ()))

    async def get_or_create(self, *names: str) -> list[bytes]:
        """Return the keys of these names; create missing ones, durably, first.

        Raises `Unavailable` if new keys cannot be written to disk.
        """
        if any(name not in self._keys for name in names):
            async with self._write_lock:
                new = {name: os.urandom(KEY_BYTES) for name in names if name not in self._keys}
                if new:
                    await self._write(new)
                    self._add(new)
        return [key for name in names if (key := self._keys.get(name))]

    async def destroy(self, names: Iterable[str]) -> None:
        """Overwrite these keys; what was encrypted with them is unreadable afterwards.

        Raises `Unavailable` if the disk fails; the keys are removed from memory nevertheless.
        """
        names = list(names)
        async with self._write_lock:
            self._remove(names)
            with _translating_errors("keys cannot be overwritten on disk, will retry: %s"):
                await asyncio.to_thread(self._file.erase, names)

    def _load(self, keys: Mapping[str, bytes]) -> None:
        """Add the keys that the file had at opening."""
        self._add(keys)
        self._initial_names = list(keys)

    async def _write(self, keys: Mapping[str, bytes]) -> None:
        """Write keys to the file; the caller holds the lock."""
        with _translating_errors("keys cannot be written to disk: %s"):
            await asyncio.to_thread(self._file.write, keys)

    def _add(self, keys: Mapping[str, bytes]) -> None:
        """Add keys to memory."""
        for name in keys:
            if is_span_key(name) and name not in self._keys:
                names = self._spans.setdefault(span_number(name), [])
                insort(names, name, key=lambda each: -key_generation(each))
        self._keys.update(keys)

    def _remove(self, names: Iterable[str]) -> None:
        """Remove keys from memory."""
        for name in names:
            if self._keys.pop(name, None) and is_span_key(name):
                number = span_number(name)
                self._spans[number].remove(name)
                if not self._spans[number]:
                    del self._spans[number]


@contextmanager
def _translating_errors(log_text: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.error(log_text, error.strerror)
        raise Unavailable from error
