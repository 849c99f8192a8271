"""Encrypts the texts of events that travel between nodes.

The keys are those of the rows at rest: a recorded event is readable only while its keys exist. An
encrypted entity carries all of its texts, and the data of a message, as base64 ciphertext in one
text field; the other fields of these are empty.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from ..entities import Member, Room, RoomRules
from ..events import (
    Event,
    MemberChanged,
    MemberJoined,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    PeerPresence,
    PresenceSnapshot,
    RoomActivity,
    RoomChanged,
    RoomOpened,
    VisitorTold,
)
from ..runtime.cooperative import iterate_cooperatively
from .message_cipher import MessageCipher
from .row_cipher import RowCipher


class EventCipher:
    """Encrypts and decrypts the texts in events."""

    def __init__(self, cipher: RowCipher, message_cipher: MessageCipher) -> None:
        self._cipher = cipher
        self._message_cipher = message_cipher

    async def encrypt_event(self, event: Event) -> Event | None:
        """Return the event with encrypted texts, or `None` if a key was destroyed meanwhile."""
        match event:
            case RoomOpened(room) | RoomChanged(room):
                encrypted = self._cipher.encrypt_sent_room(room)
                return replace(event, room=encrypted) if encrypted else None
            case MemberJoined(room, member):
                encrypted = self._cipher.encrypt_sent_room(room)
                joined = self._cipher.encrypt_sent_member(member)
                return MemberJoined(encrypted, joined) if encrypted and joined else None
            case MemberChanged(member):
                changed_member = self._cipher.encrypt_sent_member(member)
                return MemberChanged(changed_member) if changed_member else None
            case MessagePosted(room, message, visitor_id):
                encrypted = self._cipher.encrypt_sent_room(room)
                posted = self._message_cipher.encrypt_sent_message(message, visitor_id)
                if not encrypted or not posted:
                    return None
                return MessagePosted(encrypted, posted, visitor_id)
            case (
                MessageEdited(message, visitor_id)
                | MessageReacted(message, visitor_id)
                | MessageOpened(message, visitor_id)
            ):
                changed = self._message_cipher.encrypt_sent_message(message, visitor_id)
                return replace(event, message=changed) if changed else None
            case VisitorTold(room_id, visitor_id, text):
                told = self._cipher.encrypt_told_text(room_id, visitor_id, text)
                return VisitorTold(room_id, visitor_id, told) if told else None
            case RoomActivity(rooms, deleted):
                return RoomActivity(tuple(map(_without_texts, rooms)), deleted)
            case PeerPresence(node, member, present):
                sent = self._cipher.encrypt_sent_member(member)
                sent = sent or _without_nickname(member, present)
                return PeerPresence(node, sent, present) if sent else None
            case PresenceSnapshot(members=members) if members:
                return replace(event, members=await _map(self._cipher.encrypt_sent_member, members))
        return event

    async def decrypt_event(self, event: Event) -> Event | None:
        """Undo `encrypt_event`; return `None`, and record the missing key, if it is unknown."""
        match event:
            case RoomOpened(room) | RoomChanged(room):
                decrypted = await self._decrypt_room(room)
                return replace(event, room=decrypted) if decrypted else None
            case MemberJoined(room, member):
                decrypted = await self._decrypt_room(room)
                joined = await self._decrypt_member(member)
                return MemberJoined(decrypted, joined) if decrypted and joined else None
            case MemberChanged(member):
                changed_member = await self._decrypt_member(member)
                return MemberChanged(changed_member) if changed_member else None
            case MessagePosted(room, message, visitor_id):
                posted = await self._message_cipher.decrypt_sent_message(message, visitor_id)
                decrypted = await self._decrypt_room(room)
                if not decrypted or not posted:
                    return None
                return MessagePosted(decrypted, posted, visitor_id)
            case (
                MessageEdited(message, visitor_id)
                | MessageReacted(message, visitor_id)
                | MessageOpened(message, visitor_id)
            ):
                changed = await self._message_cipher.decrypt_sent_message(message, visitor_id)
                return replace(event, message=changed) if changed else None
            case VisitorTold(room_id, visitor_id, text):
                await self._cipher.fetch_visitor_keys([visitor_id])
                told = self._cipher.decrypt_told_text(room_id, visitor_id, text)
                return None if told is None else VisitorTold(room_id, visitor_id, told)
            case PeerPresence(node, member, present):
                received = await self._decrypt_member(member)
                received = received or _without_nickname(member, present)
                return PeerPresence(node, received, present) if received else None
            case PresenceSnapshot(members=members) if members:
                await self._cipher.fetch_visitor_keys(member.visitor_id for member in members)
                return replace(event, members=await _map(self._cipher.decrypt_sent_member, members))
        return event

    async def _decrypt_room(self, room: Room) -> Room | None:
        await self._cipher.fetch_sent_room_key(room.id)
        return self._cipher.decrypt_sent_room(room)

    async def _decrypt_member(self, member: Member) -> Member | None:
        await self._cipher.fetch_visitor_keys([member.visitor_id])
        return self._cipher.decrypt_sent_member(member)


async def _map(
    convert: Callable[[Member], Member | None], members: Iterable[Member]
) -> tuple[Member, ...]:
    """Convert members, without those whose keys are unknown."""
    converted = [convert(member) async for member in iterate_cooperatively(members)]
    return tuple(filter(None, converted))


def _without_texts(room: Room) -> Room:
    """Return a room without its texts: only nodes that already know the room use the event.

    The texts are dropped because these are the most frequent events.
    """
    return replace(room, name="", topic="", slug="", rules=RoomRules())


def _without_nickname(member: Member, present: bool) -> Member | None:
    """Return a member who leaves without nickname and badge; an arrival needs them: `None`."""
    return None if present else replace(member, nickname="", badge="")
