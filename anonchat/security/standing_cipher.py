"""Encrypts standings and bans, and hashes nicknames with the key of a room."""

import hmac
import json
from collections.abc import Iterable
from datetime import datetime

from ..crypto import DecryptionError, decrypt_texts, derive_key, encrypt_texts
from ..entities import Standing
from .key_names import room_key_name, visitor_key_name
from .keystore import KeyStore

_NOTHING = Standing()


class StandingCipher:
    """Encrypts and decrypts with the keys of a room and a visitor: both are needed to read it.

    Call `fetch_keys` before.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def fetch_keys(self, room_id: str, visitor_ids: Iterable[str]) -> None:
        """Request missing keys of the room and these visitors from the other nodes."""
        names = {room_key_name(room_id), *map(visitor_key_name, visitor_ids)}
        missing = {name for name in names if self._keys.get(name) is None}
        if missing:
            await self._keys.fetch(missing)
            self._keys.record_missing(missing)

    def encrypt_standing(self, room_id: str, visitor_id: str, standing: Standing) -> bytes | None:
        """Encrypt a standing; `None` if a key was destroyed."""
        until = standing.muted_until
        text = json.dumps(
            {
                "role": standing.role,
                "muted_until": until.isoformat() if until else None,
                "was_removed": standing.was_removed,
            }
        )
        return self._encrypt(room_id, visitor_id, "standing", text)

    def decrypt_standing(self, room_id: str, visitor_id: str, sealed: bytes | None) -> Standing:
        """Decrypt a standing; that of everybody if there is none, or it cannot be read."""
        text = self._decrypt(room_id, visitor_id, "standing", sealed) if sealed else None
        if text is None:
            return _NOTHING
        fields = json.loads(text)
        until = fields.pop("muted_until")
        return Standing(**fields, muted_until=datetime.fromisoformat(until) if until else None)

    def encrypt_banned(self, room_id: str, visitor_id: str, nickname: str) -> bytes | None:
        """Encrypt the nickname of somebody who is banned; `None` if a key was destroyed."""
        return self._encrypt(room_id, visitor_id, "ban", nickname)

    def decrypt_banned(self, room_id: str, visitor_id: str | None, sealed: bytes) -> str:
        """Decrypt the nickname of somebody who is banned; it is empty once they are forgotten."""
        return (visitor_id and self._decrypt(room_id, visitor_id, "ban", sealed)) or ""

    def hash_name(self, room_id: str, skeleton: str) -> bytes | None:
        """Hash the skeleton of a nickname for a room; `None` if its key was destroyed.

        Without the key of the room, nobody can find out which nickname it is.
        """
        key = self._keys.get(room_key_name(room_id))
        return key and hmac.digest(
            derive_key(key, purpose="banned name"), skeleton.encode(), "sha256"
        )

    def _encrypt(self, room_id: str, visitor_id: str, purpose: str, text: str) -> bytes | None:
        key = self._derive(room_id, visitor_id, purpose)
        return key and encrypt_texts(key, text, associated_data=f"{room_id} {visitor_id}")

    def _decrypt(self, room_id: str, visitor_id: str, purpose: str, sealed: bytes) -> str | None:
        key = self._derive(room_id, visitor_id, purpose)
        try:
            data = f"{room_id} {visitor_id}"
            return decrypt_texts(key, sealed, associated_data=data)[0] if key else None
        except DecryptionError:  # the keys were destroyed, and new ones have their names now
            return None

    def _derive(self, room_id: str, visitor_id: str, purpose: str) -> bytes | None:
        names = (room_key_name(room_id), visitor_key_name(visitor_id))
        keys = [key for name in names if (key := self._keys.get(name))]
        return derive_key(*keys, purpose=purpose) if len(keys) == len(names) else None
