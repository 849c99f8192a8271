"""What is sealed, under which key, in which place: rows on one side, nouns on the other.

A message opens only while three keys live: that of the span in which it expires, that of its room
and that of its author. Losing any one of them forgets it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from .keystore import KeyStore, generation_of, room_key, span_key, span_of, visitor_key
from .nouns import Member, Message, Room, Visitor
from .pauses import pausing
from .seal import BrokenSeal, derive_key, seal_texts, unseal_texts


class _SealedMessage:
    """A message that travels, as its row has it."""

    def __init__(self, message: Message, visitor_id: str, sealed: bytes) -> None:
        self.id = message.id
        self.room_id = message.room_id
        self.visitor_id = visitor_id
        self.seq = message.seq
        self.author = message.author
        self.sealed = sealed
        self.posted_at = message.posted_at
        self.expires_at = message.expires_at


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
        return Visitor(row.id, nickname, badge, row.expires_at, row.has_posted)

    def knows(self, visitor_id: str) -> bool:
        """Tell whether the key of a visitor lives who was opened before."""
        return self._keys.get(visitor_key(visitor_id)) is not None

    def is_visitor_strange(self, visitor_id: str) -> bool:
        """Tell whether the key of a visitor may be known to another node alone."""
        return self._is_strange(visitor_key(visitor_id))

    def is_room_strange(self, room_id: str) -> bool:
        """Tell whether the key of a room may be known to another node alone."""
        return self._is_strange(room_key(room_id))

    async def learn_visitors(self, visitor_ids: Iterable[str]) -> None:
        """Ask the other nodes for what is needed to open these visitors, if it is not known."""
        await self._learn(map(visitor_key, visitor_ids))

    async def learn_rooms(self, room_ids: Iterable[str]) -> None:
        """Ask the other nodes for what is needed to open these rooms, if it is not known."""
        await self._learn(map(room_key, room_ids))

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
            was_entered=row.was_entered,
        )

    def reseal_room(self, room: Room) -> bytes | None:
        """Seal a room that was opened as it is at rest; `None` if its key is gone."""
        key = self._keys.get(room_key(room.id))
        return key and seal_texts(key, room.name, room.topic, room.slug, place=room.id)

    def reopen_room(self, room: Room, sealed: bytes) -> Room | None:
        """Return this room with the texts that were sealed."""
        texts = self._open(sealed, room_key(room.id), place=room.id)
        if texts is None:
            return None
        name, topic, slug = texts
        return replace(room, name=name, topic=topic, slug=slug)

    def reseal_member(self, member: Member) -> bytes | None:
        """Seal a member as the visitor is at rest; `None` if that key is gone."""
        key = self._keys.get(visitor_key(member.visitor_id))
        return key and seal_texts(key, member.nickname, member.badge, place=member.visitor_id)

    def reopen_member(self, member: Member, sealed: bytes) -> Member | None:
        """Return this member with the texts that were sealed."""
        texts = self._open(sealed, visitor_key(member.visitor_id), place=member.visitor_id)
        if texts is None:
            return None
        nickname, badge = texts
        return replace(member, nickname=nickname, badge=badge)

    def reseal_message(self, message: Message, visitor_id: str) -> bytes | None:
        """Seal a message that was opened as it is at rest; `None` if one of its keys is gone."""
        texts = (message.nickname, message.badge, message.text, message.dedup_id)
        for name in self._keys.names_of_span(span_of(message.expires_at)):
            if key := self._derive(name, message.room_id, visitor_id):
                return seal_texts(key, *texts, place=_place(message))
        return None

    async def reopen_message(
        self, message: Message, visitor_id: str, sealed: bytes
    ) -> Message | None:
        """Return this message with the texts that were sealed.

        If no known key opens it, the other nodes are asked; what they do not know is noted, and is
        news when it comes.
        """
        (opened,) = await self.open_messages([_SealedMessage(message, visitor_id, sealed)])
        return opened

    async def prepare_spans(self, generations: Mapping[int, int]) -> None:
        """Make the keys to seal with in these spans, durably, all at once."""
        await self._keys.obtain(*(self._keys.own_of_span(*each) for each in generations.items()))

    def seal_message(self, message: Message, visitor_id: str, *, generation: int = 0) -> bytes:
        """Seal what a visitor has said; its keys exist."""
        key = self._message_key(message, visitor_id, generation)
        if key is None:
            raise BrokenSeal(message.id)
        texts = (message.nickname, message.badge, message.text, message.dedup_id)
        return seal_texts(key, *texts, place=_place(message))

    def open_message(self, row: MessageRow) -> Message | None:
        """Open a message."""
        opened = self._open_message(row)
        if opened is None:
            return None
        _, (nickname, badge, text, dedup_id) = opened
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

    async def open_messages(self, rows: Sequence[Any]) -> list[Message | None]:
        """Open messages; of those that no known key opens, the other nodes are asked first."""
        opened = [message async for message in self._open_each(rows)]
        strange = [row for row, message in zip(rows, opened, strict=True) if message is None]
        names = {name for row in strange for name in _message_keys(row, row.visitor_id)}
        if names:
            await self._keys.fetch(names)
            # Whether or not the answer brought any: they may have come by themselves meanwhile.
            opened = [message async for message in self._open_each(rows)]
        for row, message in zip(rows, opened, strict=True):
            if message is None and not self.is_lost(row):
                span, *others = _message_keys(row, row.visitor_id)
                self._keys.miss([name for name in others if not self._keys.get(name)] or [span])
        return opened

    async def _open_each(self, rows: Sequence[Any]) -> AsyncIterator[Message | None]:
        async for row in pausing(rows):
            yield self.open_message(row)

    def is_lost(self, row: MessageRow) -> bool:
        """Tell whether a message that does not open here opens nowhere."""
        return not self._keys.may_be_elsewhere(*_message_keys(row, row.visitor_id))

    def seal_anew(self, row: MessageRow, generation: int) -> None:
        """Seal a message with a key of this generation, unless it is sealed with one already."""
        key, place = self._message_key(row, row.visitor_id, generation), _place(row)
        opened = self._open_message(row)
        if key and opened and opened[0] < generation:
            row.sealed = seal_texts(key, *opened[1], place=place)

    def knows_room(self, room_id: str) -> bool:
        """Tell whether the key of a room lives."""
        return self._keys.get(room_key(room_id)) is not None

    def can_open(self, message: Message, visitor_id: str) -> bool:
        """Tell whether all three keys of a message live that was opened before."""
        return (
            bool(self._keys.names_of_span(span_of(message.expires_at)))
            and self._keys.get(room_key(message.room_id)) is not None
            and self._keys.get(visitor_key(visitor_id)) is not None
        )

    def _is_strange(self, name: str) -> bool:
        return self._keys.get(name) is None and self._keys.may_be_elsewhere(name)

    async def _learn(self, names: Iterable[str]) -> None:
        strange = {name for name in names if self._keys.get(name) is None}
        if strange:
            await self._keys.fetch(strange)
            self._keys.miss(strange)

    def _open(self, sealed: bytes, name: str, *, place: str) -> list[str] | None:
        key = self._keys.get(name)
        return _unseal(key, sealed, place=place) if key else None

    def _open_message(self, row: MessageRow) -> tuple[int, list[str]] | None:
        """Open a message with one of the keys of its span; return of which generation that is."""
        for name in self._keys.names_of_span(span_of(row.expires_at)):
            key = self._derive(name, row.room_id, row.visitor_id)
            if key and (texts := _unseal(key, row.sealed, place=_place(row))):
                return generation_of(name), texts
        return None

    def _message_key(
        self, message: Message | MessageRow, visitor_id: str, generation: int
    ) -> bytes | None:
        own = self._keys.own_of_span(span_of(message.expires_at), generation)
        return self._derive(own, message.room_id, visitor_id)

    def _derive(self, span: str, room_id: str, visitor_id: str) -> bytes | None:
        """Derive the key of a message from its three, if all of them live."""
        names = (span, room_key(room_id), visitor_key(visitor_id))
        keys = [key for name in names if (key := self._keys.get(name))]
        return derive_key(*keys, purpose="message") if len(keys) == len(names) else None


def _unseal(key: bytes, sealed: bytes, *, place: str) -> list[str] | None:
    try:
        return unseal_texts(key, sealed, place=place)
    except BrokenSeal:  # the key was destroyed, and another has been given its name since
        return None


def _message_keys(row: MessageRow, visitor_id: str) -> tuple[str, str, str]:
    return span_key(span_of(row.expires_at)), room_key(row.room_id), visitor_key(visitor_id)


def _place(message: Message | MessageRow) -> str:
    return f"{message.room_id} {message.id}"
