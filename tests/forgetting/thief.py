"""Somebody who copies the database now and then, and comes back later for the keys."""

import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

from anonchat.keystore import _SLOT_BYTES, KEY_BYTES, _wrapper
from anonchat.seal import BrokenSeal, derive_key, unseal, unseal_texts

SECRET = "known to the thief"


class Thief:
    """Keeps every ciphertext that was ever stored, and tries every key on it."""

    def __init__(self, data: Path, loot: Path) -> None:
        self._data = data
        self._loot = loot
        self._sealed: set[tuple[bytes, str]] = set()

    def copies(self) -> None:
        """Copy the database as it is, journal and all."""
        shutil.rmtree(self._loot, ignore_errors=True)
        self._loot.mkdir()
        for path in self._data.glob("anonchat.db*"):
            shutil.copy(path, self._loot)
        connection = sqlite3.connect(self._loot / "anonchat.db")
        self._sealed |= {
            *connection.execute("SELECT sealed, id FROM room"),
            *connection.execute("SELECT sealed, id FROM visitor"),
            *connection.execute("SELECT sealed, room_id || ' ' || id FROM message"),
        }
        connection.close()

    def reads(self, secret: str = SECRET, *, data: Path | None = None) -> set[str]:
        """Return every text that any key on the disk opens, or any three of them together."""
        keys = read_keys((data or self._data) / "keys", secret)
        return open_all(self._sealed, keys)


def open_all(sealed: Iterable[tuple[bytes, str]], keys: Mapping[str, bytes]) -> set[str]:
    """Return every text that any of these keys opens, or any three of them together."""
    kinds = defaultdict(list)
    for name, key in keys.items():
        kinds[name.split()[0]].append(key)
    every_key = [
        *keys.values(),
        *(
            derive_key(*three, purpose="message")
            for three in product(kinds["span"], kinds["room"], kinds["visitor"])
        ),
    ]
    found: set[str] = set()
    for (content, place), key in product(sealed, every_key):
        try:
            found.update(unseal_texts(key, content, place=place))
        except BrokenSeal:
            continue
    return found


def read_keys(path: Path, secret: str) -> dict[str, bytes]:
    """Return all keys of a store by their names, whoever is using it."""
    wrap, data, keys = _wrapper(secret), path.read_bytes(), {}
    for number in range(len(data) // _SLOT_BYTES):
        slot = data[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES]
        try:
            content = unseal(wrap, slot, place=str(number))
        except BrokenSeal:
            continue
        keys[content[KEY_BYTES:].rstrip(b"\0").decode()] = content[:KEY_BYTES]
    return keys
