"""Encrypts and decrypts the texts of rows: converts between database rows and entities.

A message is readable only while three keys exist: those of its expiry span, of its room and of its
author. Destroying any one of them makes it unreadable.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from ..crypto import DecryptionError, decrypt_texts, derive_key, encrypt_texts
from ..entities import Member, Message, Room, Visitor
from ..runtime.cooperative import iterate_cooperatively
from .key_names import key_generation, room_key_name, span_at, span_key_name, visitor_key_name
from .keystore import KeyStore

_SPANS_CACHED = 10_000


class _EncryptedMessage:
    """A message received from another node, with the fields of its row."""

    def __init__(self, message: Message, visitor_id: str, ciphertext: bytes) -> None:
        self.id = message.id
        self.room_id = message.room_id
        self.visitor_id = visitor_id
        self.seq = message.seq
        self.author = message.author
        self.sealed = ciphertext
        self.posted_at = message.posted_at
        self.expires_at = message.expires_at


class RowCipher:
    """Encrypts entities and decrypts rows; a row whose key was destroyed decrypts to `None`."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._last_key_of_span: dict[int, str] = {}  # adjacent messages mostly share their key

    async def encrypt_visitor(self, visitor_id: str, *, nickname: str, badge: str) -> bytes:
        """Encrypt nickname and badge of a visitor; create the visitor's key."""
        (key,) = await self._keys.get_or_create(visitor_key_name(visitor_id))
        return encrypt_texts(key, nickname, badge, associated_data=visitor_id)

    def decrypt_visitor(self, row: VisitorRow) -> Visitor | None:
        """Decrypt a visitor."""
        texts = self._decrypt(row.sealed, visitor_key_name(row.id), associated_data=row.id)
        if texts is None:
            return None
        nickname, badge = texts
        return Visitor(row.id, nickname, badge, row.expires_at, row.has_posted)

    def has_visitor_key(self, visitor_id: str) -> bool:
        """Return whether the key of a visitor, who was decrypted before, still exists."""
        return self._keys.get(visitor_key_name(visitor_id)) is not None

    def may_visitor_key_exist_on_peers(self, visitor_id: str) -> bool:
        """Return whether only another node may have the key of a visitor."""
        return self._may_be_elsewhere(visitor_key_name(visitor_id))

    def may_room_key_exist_on_peers(self, room_id: str) -> bool:
        """Return whether only another node may have the key of a room."""
        return self._may_be_elsewhere(room_key_name(room_id))

    async def fetch_visitor_keys(self, visitor_ids: Iterable[str]) -> None:
        """Request missing keys of these visitors from the other nodes."""
        await self._fetch_keys(map(visitor_key_name, visitor_ids))

    async def fetch_room_keys(self, room_ids: Iterable[str]) -> None:
        """Request missing keys of these rooms from the other nodes."""
        await self._fetch_keys(map(room_key_name, room_ids))

    def decrypt_member(self, row: MemberRow, visitor: VisitorRow) -> Member | None:
        """Decrypt a member of a room."""
        texts = self._decrypt(
            visitor.sealed, visitor_key_name(visitor.id), associated_data=visitor.id
        )
        if texts is None:
            return None
        nickname, badge = texts
        return Member(row.room_id, visitor.id, row.author, nickname, badge, row.read_seq)

    async def encrypt_room(self, room_id: str, *, name: str, topic: str, slug: str) -> bytes:
        """Encrypt name, topic and slug of a room; create the room's key."""
        (key,) = await self._keys.get_or_create(room_key_name(room_id))
        return encrypt_texts(key, name, topic, slug, associated_data=room_id)

    def decrypt_room(self, row: RoomRow) -> Room | None:
        """Decrypt a room."""
        texts = self._decrypt(row.sealed, room_key_name(row.id), associated_data=row.id)
        if texts is None:
            return None
        name, topic, slug = texts
        return Room(
            id=row.id,
            slug=slug,
            name=name,
            topic=topic,
            listed=row.listed,
            owner=row.owner,
            message_ttl=timedelta(seconds=row.message_ttl),
            room_ttl=timedelta(seconds=row.room_ttl),
            created_at=row.created_at,
            active_at=row.active_at,
            expires_at=row.expires_at,
            last_seq=row.last_seq,
            was_entered=row.was_entered,
        )

    def encrypt_sent_room(self, room: Room) -> bytes | None:
        """Encrypt the texts of a decrypted room as in its row; `None` if its key was destroyed."""
        key = self._keys.get(room_key_name(room.id))
        return key and encrypt_texts(key, room.name, room.topic, room.slug, associated_data=room.id)

    def decrypt_sent_room(self, room: Room, ciphertext: bytes) -> Room | None:
        """Return the room with the decrypted texts; `None` if its key is unknown."""
        texts = self._decrypt(ciphertext, room_key_name(room.id), associated_data=room.id)
        if texts is None:
            return None
        name, topic, slug = texts
        return replace(room, name=name, topic=topic, slug=slug)

    def encrypt_sent_member(self, member: Member) -> bytes | None:
        """Encrypt nickname and badge as in the visitor's row; `None` if the key was destroyed."""
        key = self._keys.get(visitor_key_name(member.visitor_id))
        return key and encrypt_texts(
            key, member.nickname, member.badge, associated_data=member.visitor_id
        )

    def decrypt_sent_member(self, member: Member, ciphertext: bytes) -> Member | None:
        """Return the member with the decrypted texts; `None` if the visitor's key is unknown."""
        texts = self._decrypt(
            ciphertext, visitor_key_name(member.visitor_id), associated_data=member.visitor_id
        )
        if texts is None:
            return None
        nickname, badge = texts
        return replace(member, nickname=nickname, badge=badge)

    def encrypt_sent_message(self, message: Message, visitor_id: str) -> bytes | None:
        """Encrypt the texts of a decrypted message as in its row; `None` if a key was destroyed."""
        texts = (message.nickname, message.badge, message.text, message.dedup_id)
        for name in self._keys.span_key_names(span_at(message.expires_at)):
            if key := self._derive(name, message.room_id, visitor_id):
                return encrypt_texts(key, *texts, associated_data=_associated_data(message))
        return None

    async def decrypt_sent_message(
        self, message: Message, visitor_id: str, ciphertext: bytes
    ) -> Message | None:
        """Return the message with the decrypted texts; `None` if its keys are unknown.

        Missing keys are requested from the other nodes. Keys that those lack are recorded as
        missing (see `KeyStore.record_missing`).
        """
        row = _EncryptedMessage(message, visitor_id, ciphertext)
        (decrypted,) = await self.decrypt_messages([row])
        return decrypted

    async def create_span_keys(self, generations: Mapping[int, int]) -> None:
        """Create this node's keys of these spans and generations, durably, in one batch."""
        await self._keys.get_or_create(
            *(self._keys.own_span_key(*each) for each in generations.items())
        )

    def encrypt_message(self, message: Message, visitor_id: str, *, generation: int = 0) -> bytes:
        """Encrypt a message of a visitor; raise `DecryptionError` if one of its keys is missing."""
        key = self._message_key(message, visitor_id, generation)
        if key is None:
            raise DecryptionError(message.id)
        texts = (message.nickname, message.badge, message.text, message.dedup_id)
        return encrypt_texts(key, *texts, associated_data=_associated_data(message))

    def decrypt_message(self, row: MessageRow) -> Message | None:
        """Decrypt a message."""
        decrypted = self._decrypt_message(row)
        if decrypted is None:
            return None
        _, (nickname, badge, text, dedup_id) = decrypted
        return Message(
            id=row.id,
            room_id=row.room_id,
            seq=row.seq,
            author=row.author,
            nickname=nickname,
            badge=badge,
            text=text,
            dedup_id=dedup_id,
            posted_at=row.posted_at,
            expires_at=row.expires_at,
        )

    async def decrypt_messages(self, rows: Sequence[Any]) -> list[Message | None]:
        """Decrypt messages; request missing keys from the other nodes once."""
        decrypted = [message async for message in self._decrypt_each(rows)]
        unreadable = [row for row, message in zip(rows, decrypted, strict=True) if message is None]
        names = {name for row in unreadable for name in _key_names(row, row.visitor_id)}
        if names:
            await self._keys.fetch(names)
            # Even if `fetch` found none: an event may have brought them meanwhile.
            decrypted = [message async for message in self._decrypt_each(rows)]
        for row, message in zip(rows, decrypted, strict=True):
            if message is None and not self.is_undecryptable(row):
                span, *others = _key_names(row, row.visitor_id)
                self._keys.record_missing(
                    [name for name in others if not self._keys.get(name)] or [span]
                )
        return decrypted

    async def _decrypt_each(self, rows: Sequence[Any]) -> AsyncIterator[Message | None]:
        async for row in iterate_cooperatively(rows):
            yield self.decrypt_message(row)

    def is_undecryptable(self, row: MessageRow) -> bool:
        """Return whether no node can decrypt a message that this node cannot decrypt."""
        return not self._keys.may_exist_on_peers(*_key_names(row, row.visitor_id))

    def reencrypt(self, row: MessageRow, generation: int) -> None:
        """Re-encrypt a message with a key of this generation, unless its key is as recent."""
        key = self._message_key(row, row.visitor_id, generation)
        decrypted = self._decrypt_message(row)
        if key and decrypted and decrypted[0] < generation:
            row.sealed = encrypt_texts(key, *decrypted[1], associated_data=_associated_data(row))

    def has_room_key(self, room_id: str) -> bool:
        """Return whether the key of a room exists."""
        return self._keys.get(room_key_name(room_id)) is not None

    def can_decrypt_message(self, message: Message, visitor_id: str) -> bool:
        """Return whether all three keys of a message, which was decrypted before, still exist."""
        return (
            bool(self._keys.span_key_names(span_at(message.expires_at)))
            and self._keys.get(room_key_name(message.room_id)) is not None
            and self._keys.get(visitor_key_name(visitor_id)) is not None
        )

    def _may_be_elsewhere(self, name: str) -> bool:
        return self._keys.get(name) is None and self._keys.may_exist_on_peers(name)

    async def _fetch_keys(self, names: Iterable[str]) -> None:
        missing = {name for name in names if self._keys.get(name) is None}
        if missing:
            await self._keys.fetch(missing)
            self._keys.record_missing(missing)

    def _decrypt(self, ciphertext: bytes, name: str, *, associated_data: str) -> list[str] | None:
        key = self._keys.get(name)
        return _decrypt_texts(key, ciphertext, associated_data=associated_data) if key else None

    def _decrypt_message(self, row: MessageRow) -> tuple[int, list[str]] | None:
        """Return the texts of a message and the generation of the key that decrypts it."""
        span = span_at(row.expires_at)
        names, associated_data = self._keys.span_key_names(span), _associated_data(row)
        last = self._last_key_of_span.get(span)
        if last in names:
            names.remove(last)
            names.insert(0, last)
        for name in names:
            key = self._derive(name, row.room_id, row.visitor_id)
            if key and (texts := _decrypt_texts(key, row.sealed, associated_data=associated_data)):
                self._cache_key_name(span, name)
                return key_generation(name), texts
        return None

    def _cache_key_name(self, span: int, name: str) -> None:
        if len(self._last_key_of_span) >= _SPANS_CACHED:
            self._last_key_of_span.clear()
        self._last_key_of_span[span] = name

    def _message_key(
        self, message: Message | MessageRow, visitor_id: str, generation: int
    ) -> bytes | None:
        own = self._keys.own_span_key(span_at(message.expires_at), generation)
        return self._derive(own, message.room_id, visitor_id)

    def _derive(self, span: str, room_id: str, visitor_id: str) -> bytes | None:
        """Derive the key of a message from those of span, room and visitor, if all exist."""
        names = (span, room_key_name(room_id), visitor_key_name(visitor_id))
        keys = [key for name in names if (key := self._keys.get(name))]
        return derive_key(*keys, purpose="message") if len(keys) == len(names) else None


def _decrypt_texts(key: bytes, ciphertext: bytes, *, associated_data: str) -> list[str] | None:
    try:
        return decrypt_texts(key, ciphertext, associated_data=associated_data)
    except DecryptionError:  # the key was destroyed, and a new key has its name now
        return None


def _key_names(row: MessageRow, visitor_id: str) -> tuple[str, str, str]:
    return (
        span_key_name(span_at(row.expires_at)),
        room_key_name(row.room_id),
        visitor_key_name(visitor_id),
    )


def _associated_data(message: Message | MessageRow) -> str:
    return f"{message.room_id} {message.id}"
