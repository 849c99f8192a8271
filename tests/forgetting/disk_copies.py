"""An attacker who keeps copies of the database and later tries the keys on the disk."""

import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path

from anonchat.crypto import KEY_BYTES, DecryptionError, decrypt, decrypt_texts, derive_key
from anonchat.security.key_file import _SLOT_BYTES, _derive_wrapping_key

SECRET = "known to the attacker"
_REACTIONS = """
    SELECT reaction.sealed, room_id || ' ' || message_id || ' ' || reaction.visitor_id
    FROM reaction JOIN message ON message.id = message_id
"""

_BANS = "SELECT sealed, room_id || ' ' || visitor_id FROM ban WHERE visitor_id IS NOT NULL"


class DiskCopies:
    """Collects all stored ciphertexts, and tries all keys on them."""

    def __init__(self, data: Path, copy: Path) -> None:
        self._data = data
        self._copy = copy
        self._ciphertexts: set[tuple[bytes, str]] = set()

    def copy_database(self) -> None:
        """Copy the database as it is, with its journal, and collect the ciphertexts."""
        shutil.rmtree(self._copy, ignore_errors=True)
        self._copy.mkdir()
        for path in self._data.glob("anonchat.db*"):
            shutil.copy(path, self._copy)
        connection = sqlite3.connect(self._copy / "anonchat.db")
        self._ciphertexts |= {
            *connection.execute("SELECT sealed, id FROM room"),
            *connection.execute("SELECT rules, id || ' rules' FROM room"),
            *connection.execute("SELECT sealed, id FROM visitor"),
            *connection.execute("SELECT sealed, room_id || ' ' || id FROM message"),
            *connection.execute("SELECT sealed, room_id || ' ' || plugin FROM room_state"),
            *connection.execute("SELECT sealed, room_id || ' invite' FROM invite"),
            *connection.execute(_REACTIONS),
            *connection.execute("SELECT sealed, room_id || ' ' || visitor_id FROM standing"),
            *connection.execute(_BANS),
        }
        connection.close()

    def decrypt(self, secret: str = SECRET, *, data: Path | None = None) -> set[str]:
        """Return all texts that a key on the disk decrypts, alone or combined with others."""
        keys = read_keys((data or self._data) / "keys", secret)
        return decrypt_all(self._ciphertexts, keys)


def decrypt_all(ciphertexts: Iterable[tuple[bytes, str]], keys: Mapping[str, bytes]) -> set[str]:
    """Return all texts that one of these keys decrypts, alone or combined with others."""
    kinds = defaultdict(list)
    for name, key in keys.items():
        kinds[name.split()[0]].append(key)
    every_key = [
        *keys.values(),
        *(
            derive_key(*three, purpose="message")
            for three in product(kinds["span"], kinds["room"], kinds["visitor"])
        ),
        *(
            derive_key(*four, purpose="reaction")
            for four in product(kinds["span"], kinds["room"], kinds["visitor"], kinds["visitor"])
        ),
        *(
            derive_key(*two, purpose=purpose)
            for two in product(kinds["room"], kinds["visitor"])
            for purpose in ("standing", "ban")
        ),
        *(
            derive_key(key, purpose=purpose)
            for key in kinds["room"]
            for purpose in ("room state", "invite")
        ),
        *(derive_key(*two, purpose="room texts") for two in product(kinds["room"], kinds["texts"])),
    ]
    found: set[str] = set()
    for (ciphertext, associated_data), key in product(ciphertexts, every_key):
        try:
            found.update(decrypt_texts(key, ciphertext, associated_data=associated_data))
        except DecryptionError:
            continue
    return found


def read_keys(path: Path, secret: str) -> dict[str, bytes]:
    """Return all keys of a key store by their names, even while a process has it open."""
    wrapping_key, data, keys = _derive_wrapping_key(secret), path.read_bytes(), {}
    for number in range(len(data) // _SLOT_BYTES):
        slot = data[number * _SLOT_BYTES : (number + 1) * _SLOT_BYTES]
        try:
            content = decrypt(wrapping_key, slot, associated_data=str(number))
        except DecryptionError:
            continue
        keys[content[KEY_BYTES:].rstrip(b"\0").decode()] = content[:KEY_BYTES]
    return keys
