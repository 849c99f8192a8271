"""`/remind 10m look into the oven`: tells you alone, when it is time.

Who has closed the room by then is told when they open it again, within a day. Reminders are
encrypted with the room and gone with it; those of a person are dropped when they leave.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, Field, JsonValue

from anonchat.plugins import (
    Chat,
    ChatError,
    Duration,
    Language,
    Member,
    MemberLeft,
    Plugin,
    Refused,
    Room,
    RoomState,
)

plugin = Plugin("reminder")

_MAX = 5  # of one person in a room
_LATE_MAX = timedelta(days=1)


class Reminder(BaseModel):
    """What a person is told at a time."""

    author: str
    due: datetime
    text: str


@plugin.command()
async def remind(
    after: Duration,
    text: Annotated[str, Field(max_length=200)],
    member: Member,
    state: RoomState,
    chat: Chat,
    language: Language,
) -> str:
    """Remind yourself: /remind 10m look into the oven."""
    reminder = Reminder(author=member.author, due=chat.now() + after, text=text)
    key = uuid4().hex

    def add(values: dict[str, JsonValue]) -> None:
        mine = [each for each in _read(values).values() if each.author == member.author]
        if len(mine) >= _MAX:
            raise Refused("You have {most} reminders here already.", most=_MAX)
        values[key] = reminder.model_dump(mode="json")

    await state.change(add)
    return language("You alone will be reminded here, after {time}", time=language.duration(after))


@plugin.every("30s")
async def tell_all(chat: Chat) -> None:
    """Tell those who are there what is due."""
    for room in await chat.list_rooms_with_state():
        with suppress(ChatError):  # the room has ended meanwhile, for example
            await _tell(chat, room)


@plugin.on(MemberLeft)
async def drop(event: MemberLeft, state: RoomState) -> None:
    """Drop what a person has written who has left, or was forgotten."""

    def remove(values: dict[str, JsonValue]) -> None:
        for key, reminder in _read(values).items():
            if reminder.author == event.author:
                del values[key]

    await state.change(remove)


async def _tell(chat: Chat, room: Room) -> None:
    now, present, state = chat.now(), chat.list_present(room), chat.state(room)
    done = []
    for key, reminder in _read(await state.items()).items():
        if reminder.due <= now and reminder.author in present:
            member = await chat.find_member(room, reminder.author)
            await chat.tell(room, member, f"⏰ {reminder.text}")
        elif reminder.due + _LATE_MAX > now:
            continue
        done.append(key)
    if done:
        await state.change(lambda values: [values.pop(key, None) for key in done])


def _read(values: dict[str, JsonValue]) -> dict[str, Reminder]:
    return {key: Reminder.model_validate(value) for key, value in values.items()}
