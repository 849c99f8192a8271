"""What is sealed, under which key, in which place: rows on one side, nouns on the other.

A message opens only while three keys live: that of the span in which it expires, that of its room
and that of its author. Losing any one of them forgets it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from .keystore import KeyStore, room_key, span_key, visitor_key
from .nouns import Member, Message, Room, Visitor
from .seal import BrokenSeal, derive_key, seal_texts, unseal_texts


class Vault:
    """Opens rows into nouns; a row whose key was destroyed opens to `None`."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def seal_visitor(self, visitor_id: str, *, nickname: str, badge: str) -> bytes:
        """Seal what others see of a visitor, under a new key."""
        (key,) = await self._keys.obtain(visitor_key(visitor_id))
        return seal_texts(key, nickname, badge, place=visitor_id)

    def open_visitor(self, row: VisitorRow) -> Visitor | None:
        """Open a visitor."""
        texts = self._open(row.sealed, visitor_key(row.id), place=row.id)
        if texts is None:
            return None
        nickname, badge = texts
        return Visitor(row.id, nickname, badge, row.expires_at)

    def knows(self, visitor_id: str) -> bool:
        """Tell whether the key of a visitor lives who was opened before."""
        return self._keys.get(visitor_key(visitor_id)) is not None

    def open_member(self, row: MemberRow, visitor: VisitorRow) -> Member | None:
        """Open a member of a room."""
        texts = self._open(visitor.sealed, visitor_key(visitor.id), place=visitor.id)
        if texts is None:
            return None
        nickname, badge = texts
        return Member(row.room_id, visitor.id, row.author, nickname, badge, row.read_seq)

    async def seal_room(self, room_id: str, *, name: str, topic: str, slug: str) -> bytes:
        """Seal what a room is called, under a new key."""
        (key,) = await self._keys.obtain(room_key(room_id))
        return seal_texts(key, name, topic, slug, place=room_id)

    def open_room(self, row: RoomRow) -> Room | None:
        """Open a room."""
        texts = self._open(row.sealed, room_key(row.id), place=row.id)
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
        )

    async def prepare_spans(self, moments: Iterable[datetime]) -> None:
        """Make the keys for messages that will expire at these moments, durably, all at once."""
        await self._keys.obtain(*set(map(span_key, moments)))

    def seal_message(self, message: Message, visitor_id: str) -> bytes:
        """Seal what a visitor has said; its keys exist."""
        names = _message_keys(message.expires_at, message.room_id, visitor_id)
        keys = [self._keys.get(name) for name in names]
        living = [key for key in keys if key]
        if len(living) < len(names):
            raise BrokenSeal(message.id)
        key = derive_key(*living, purpose="message")
        texts = (message.nickname, message.badge, message.text, message.dedup_id)
        return seal_texts(key, *texts, place=_place(message))

    def open_message(self, row: MessageRow) -> Message | None:
        """Open a message."""
        names = _message_keys(row.expires_at, row.room_id, row.visitor_id)
        texts = self._open(row.sealed, *names, place=_place(row))
        if texts is None:
            return None
        nickname, badge, text, dedup_id = texts
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

    def can_open(self, message: Message, visitor_id: str) -> bool:
        """Tell whether all three keys of a message live that was opened before."""
        names = _message_keys(message.expires_at, message.room_id, visitor_id)
        return all(self._keys.get(name) for name in names)

    def _open(self, sealed: bytes, *names: str, place: str) -> list[str] | None:
        keys = [key for name in names if (key := self._keys.get(name))]
        if len(keys) < len(names):
            return None
        key = keys[0] if len(keys) == 1 else derive_key(*keys, purpose="message")
        try:
            return unseal_texts(key, sealed, place=place)
        except BrokenSeal:  # the key was destroyed, and another has been given its name since
            return None


def _message_keys(expires_at: datetime, room_id: str, visitor_id: str) -> tuple[str, str, str]:
    return span_key(expires_at), room_key(room_id), visitor_key(visitor_id)


def _place(message: Message | MessageRow) -> str:
    return f"{message.room_id} {message.id}"
