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
        key = self._message_key(message, visitor_id)
        if key is None:
            raise BrokenSeal(message.id)
        texts = (message.nickname, message.badge, message.text, message.dedup_id)
        return seal_texts(key, *texts, place=_place(message))

    def open_message(self, row: MessageRow) -> Message | None:
        """Open a message."""
        texts = self._open_message(row)
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

    def seal_anew(self, row: MessageRow) -> None:
        """Seal a message with the newest key of its span, if another one still opens it."""
        key, place = self._message_key(row, row.visitor_id), _place(row)
        if key is None or _unseal(key, row.sealed, place=place):
            return
        if texts := self._open_message(row):
            row.sealed = seal_texts(key, *texts, place=place)

    def knows_room(self, room_id: str) -> bool:
        """Tell whether the key of a room lives."""
        return self._keys.get(room_key(room_id)) is not None

    def can_open(self, message: Message, visitor_id: str) -> bool:
        """Tell whether all three keys of a message live that was opened before."""
        names = _message_keys(message.expires_at, message.room_id, visitor_id)
        return all(self._keys.get(name) for name in names)

    def _open(self, sealed: bytes, name: str, *, place: str) -> list[str] | None:
        key = self._keys.get(name)
        return _unseal(key, sealed, place=place) if key else None

    def _open_message(self, row: MessageRow) -> list[str] | None:
        key, place = self._message_key(row, row.visitor_id), _place(row)
        texts = _unseal(key, row.sealed, place=place) if key else None
        if texts is None and key:
            for span in self._keys.older(span_key(row.expires_at)):  # while it is being renewed
                key = self._message_key(row, row.visitor_id, span=span)
                if key and (texts := _unseal(key, row.sealed, place=place)):
                    break
        return texts

    def _message_key(
        self, message: Message | MessageRow, visitor_id: str, *, span: bytes | None = None
    ) -> bytes | None:
        """Derive the key of a message from its three; `span` takes the place of the newest."""
        names = _message_keys(message.expires_at, message.room_id, visitor_id)
        newest, *others = [self._keys.get(name) for name in names]
        keys = [key for key in (span or newest, *others) if key]
        return derive_key(*keys, purpose="message") if len(keys) == len(names) else None


def _unseal(key: bytes, sealed: bytes, *, place: str) -> list[str] | None:
    try:
        return unseal_texts(key, sealed, place=place)
    except BrokenSeal:  # the key was destroyed, and another has been given its name since
        return None


def _message_keys(expires_at: datetime, room_id: str, visitor_id: str) -> tuple[str, str, str]:
    return span_key(expires_at), room_key(room_id), visitor_key(visitor_id)


def _place(message: Message | MessageRow) -> str:
    return f"{message.room_id} {message.id}"
