"""What people have written travels between nodes sealed as it is at rest, never in the open.

It opens for as long as its keys live and no longer, whoever has recorded it. A noun on its way has
its sealed texts, in base64, in the place of one text, and nothing in the places of the others.
"""

import asyncio
from base64 import b64decode, b64encode
from dataclasses import replace

from .events import (
    Event,
    MemberJoined,
    MessagePosted,
    PresenceTold,
    RollTold,
    RoomOpened,
    RoomsStirred,
)
from .nouns import Member, Message, Room
from .vault import Vault

_AT_ONCE = 100  # then others have their turn


class EventSealing:
    """Seals and opens the texts in events."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def conceal(self, event: Event) -> Event | None:
        """Return the event with its texts sealed; `None` if what it tells of is gone already."""
        match event:
            case RoomOpened(room):
                sealed = self._conceal_room(room)
                return RoomOpened(sealed) if sealed else None
            case MemberJoined(room, member):
                sealed, joined = self._conceal_room(room), self._conceal_member(member)
                return MemberJoined(sealed, joined) if sealed and joined else None
            case MessagePosted(room, message, visitor_id):
                sealed, said = self._conceal_room(room), self._conceal_message(message, visitor_id)
                return MessagePosted(sealed, said, visitor_id) if sealed and said else None
            case RoomsStirred(rooms, gone):
                return RoomsStirred(tuple(map(_without_names, rooms)), gone)
            case PresenceTold(node, member, present):
                told = self._conceal_member(member) or _without_texts(member, present)
                return PresenceTold(node, told, present) if told else None
            case RollTold(members=members) if members:
                told_all = []
                for number, member in enumerate(members, 1):
                    if told := self._conceal_member(member):
                        told_all.append(told)
                    if number % _AT_ONCE == 0:
                        await asyncio.sleep(0)
                return replace(event, members=tuple(told_all))
        return event

    async def reveal(self, event: Event) -> Event | None:
        """Undo what `conceal` did; `None` if a key is not known here, which is noted."""
        match event:
            case RoomOpened(room):
                opened = await self._reveal_room(room)
                return RoomOpened(opened) if opened else None
            case MemberJoined(room, member):
                opened, joined = await self._reveal_room(room), await self._reveal_member(member)
                return MemberJoined(opened, joined) if opened and joined else None
            case MessagePosted(room, message, visitor_id):
                said = await self._vault.reopen_message(message, visitor_id, _decode(message.text))
                opened = await self._reveal_room(room)
                return MessagePosted(opened, said, visitor_id) if opened and said else None
            case PresenceTold(node, member, present):
                told = await self._reveal_member(member) or _without_texts(member, present)
                return PresenceTold(node, told, present) if told else None
            case RollTold(members=members) if members:
                await self._vault.learn_visitors(member.visitor_id for member in members)
                told_all = []
                for number, member in enumerate(members, 1):
                    if told := self._reopen_member(member):
                        told_all.append(told)
                    if number % _AT_ONCE == 0:
                        await asyncio.sleep(0)
                return replace(event, members=tuple(told_all))
        return event

    def _conceal_room(self, room: Room) -> Room | None:
        sealed = self._vault.reseal_room(room)
        return replace(room, name=_encode(sealed), topic="", slug="") if sealed else None

    def _conceal_member(self, member: Member) -> Member | None:
        sealed = self._vault.reseal_member(member)
        return replace(member, nickname=_encode(sealed), badge="") if sealed else None

    def _conceal_message(self, message: Message, visitor_id: str) -> Message | None:
        sealed = self._vault.reseal_message(message, visitor_id)
        if sealed is None:
            return None
        return replace(message, text=_encode(sealed), nickname="", badge="", dedup_id="")

    async def _reveal_room(self, room: Room) -> Room | None:
        await self._vault.learn_rooms([room.id])
        return self._reopen_room(room)

    async def _reveal_member(self, member: Member) -> Member | None:
        await self._vault.learn_visitors([member.visitor_id])
        return self._reopen_member(member)

    def _reopen_room(self, room: Room) -> Room | None:
        return self._vault.reopen_room(room, _decode(room.name))

    def _reopen_member(self, member: Member) -> Member | None:
        return self._vault.reopen_member(member, _decode(member.nickname))


def _without_names(room: Room) -> Room:
    """Return a room for those who know it: there are more of these than of all others."""
    return replace(room, name="", topic="", slug="")


def _without_texts(member: Member, present: bool) -> Member | None:
    """Return who goes, of whom nobody needs the nickname; of who comes it is needed."""
    return None if present else replace(member, nickname="", badge="")


def _encode(sealed: bytes) -> str:
    return b64encode(sealed).decode()


def _decode(text: str) -> bytes:
    return b64decode(text)
