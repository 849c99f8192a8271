"""Encrypts invitations with the key of their room."""

from models import InviteRow

from ..crypto import DecryptionError, decrypt_texts, derive_key, encrypt_texts
from ..errors import Unavailable
from .key_names import room_key_name
from .keystore import KeyStore


class InviteCipher:
    """Encrypts and decrypts invitations; without the key of the room they cannot be read."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def fetch_key(self, room_id: str) -> None:
        """Request the key of a room, if it is missing, from the other nodes.

        Raises `Unavailable` while only another node may have it.
        """
        name = room_key_name(room_id)
        if self._keys.get(name) is None:
            await self._keys.fetch({name})
            self._keys.record_missing({name})
            if self._keys.get(name) is None and self._keys.may_exist_on_peers(name):
                raise Unavailable

    def encrypt(self, room_id: str, code: str, uses_max: int) -> bytes | None:
        """Encrypt a code, and how often it can be used; `None` if the key was destroyed."""
        key = self._derive(room_id)
        return key and encrypt_texts(key, code, str(uses_max), associated_data=f"{room_id} invite")

    def decrypt(self, row: InviteRow) -> tuple[str, int] | None:
        """Undo `encrypt`; return `None` if the key was destroyed."""
        key = self._derive(row.room_id)
        try:
            texts = key and decrypt_texts(key, row.sealed, associated_data=f"{row.room_id} invite")
        except DecryptionError:  # the key was destroyed, and a new key has its name now
            return None
        return (texts[0], int(texts[1])) if texts else None

    def _derive(self, room_id: str) -> bytes | None:
        key = self._keys.get(room_key_name(room_id))
        return key and derive_key(key, purpose="invite")
