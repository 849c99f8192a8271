"""Encrypts and decrypts reactions.

A reaction is readable only while four keys exist: those of the span, the room and the author of its
message, and that of the visitor who reacts.
"""

from collections.abc import Sequence

from models import MessageRow, ReactionRow

from ..crypto import DecryptionError, decrypt_texts, derive_key, encrypt_texts
from ..runtime.cooperative import iterate_cooperatively
from .key_names import key_generation, room_key_name, span_at, span_key_name, visitor_key_name
from .keystore import KeyStore

Reacted = tuple[str, dict[str, int]]
"""The pseudonym of who reacts, and each emoji with the revision that it made of the message."""


class ReactionCipher:
    """Encrypts reactions and decrypts rows; a row whose keys are unknown decrypts to `None`."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def encrypt(
        self, message: MessageRow, visitor_id: str, reacted: Reacted, *, generation: int
    ) -> bytes:
        """Encrypt how a visitor reacts; raise `DecryptionError` if a key is missing."""
        author, emoji = reacted
        texts = [author, *(text for item in emoji.items() for text in map(str, item))]
        return self._encrypt(message, visitor_id, texts, generation)

    async def decrypt(self, rows: Sequence[tuple[MessageRow, ReactionRow]]) -> list[Reacted | None]:
        """Decrypt reactions to messages; request missing keys from the other nodes once."""
        found = await self._decrypt_all(rows)
        return [each and _read(each[1]) for each in found]

    async def reencrypt(
        self, rows: Sequence[tuple[MessageRow, ReactionRow]], generation: int
    ) -> bool:
        """Re-encrypt reactions with a key of this generation, unless their keys are as recent.

        Return `False` if only another node can decrypt some of them.
        """
        is_complete = True
        for (message, row), found in zip(rows, await self._decrypt_all(rows), strict=True):
            if found is None:
                names = _key_names(message, row.visitor_id)
                is_complete = is_complete and not self._keys.may_exist_on_peers(*names)
            elif found[0] < generation:
                try:
                    row.sealed = self._encrypt(message, row.visitor_id, found[1], generation)
                except DecryptionError:  # a key was destroyed meanwhile
                    continue
        return is_complete

    async def _decrypt_all(
        self, rows: Sequence[tuple[MessageRow, ReactionRow]]
    ) -> list[tuple[int, list[str]] | None]:
        """Decrypt reactions to their texts, each with the generation of its key."""
        found = [self._decrypt(*each) async for each in iterate_cooperatively(rows)]
        unreadable = [each for each, texts in zip(rows, found, strict=True) if texts is None]
        if unreadable:
            names = {
                name for message, row in unreadable for name in _key_names(message, row.visitor_id)
            }
            await self._keys.fetch(names)
            found = [self._decrypt(*each) async for each in iterate_cooperatively(rows)]
        return found

    def _decrypt(self, message: MessageRow, row: ReactionRow) -> tuple[int, list[str]] | None:
        data = _associated_data(message, row.visitor_id)
        for name in self._keys.span_key_names(span_at(message.expires_at)):
            if key := self._derive(name, message, row.visitor_id):
                try:
                    return key_generation(name), decrypt_texts(
                        key, row.sealed, associated_data=data
                    )
                except DecryptionError:
                    continue
        return None

    def _encrypt(
        self, message: MessageRow, visitor_id: str, texts: list[str], generation: int
    ) -> bytes:
        own = self._keys.own_span_key(span_at(message.expires_at), generation)
        key = self._derive(own, message, visitor_id)
        data = _associated_data(message, visitor_id)
        if key is None:
            raise DecryptionError(data)
        return encrypt_texts(key, *texts, associated_data=data)

    def _derive(self, span: str, message: MessageRow, visitor_id: str) -> bytes | None:
        names = (span, *_key_names(message, visitor_id)[1:])
        keys = [key for name in names if (key := self._keys.get(name))]
        return derive_key(*keys, purpose="reaction") if len(keys) == len(names) else None


def _read(texts: list[str]) -> Reacted:
    author, *items = texts
    return author, dict(zip(items[::2], map(int, items[1::2]), strict=True))


def _key_names(message: MessageRow, visitor_id: str) -> tuple[str, str, str, str]:
    return (
        span_key_name(span_at(message.expires_at)),
        room_key_name(message.room_id),
        visitor_key_name(message.visitor_id),
        visitor_key_name(visitor_id),
    )


def _associated_data(message: MessageRow, visitor_id: str) -> str:
    return f"{message.room_id} {message.id} {visitor_id}"
