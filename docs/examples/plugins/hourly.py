"""A job: in rooms where the owner wants it, everybody who is there is told the hour."""

from contextlib import suppress
from typing import Literal

from anonchat.plugins import Chat, ChatError, Plugin, RoomState

plugin = Plugin("hourly")


@plugin.command(who="owner")
async def chimes(switch: Literal["on", "off"], state: RoomState) -> str:
    """Tell all who are here every full hour: /chimes on, /chimes off."""
    if switch == "off":
        await state.delete("on")
    else:
        await state.put("on", True)
    return f"The chimes are {switch}."


@plugin.every("1h")  # or plugin.cron("0 * * * *")
async def chime(chat: Chat) -> None:
    for room in await chat.list_rooms_with_state():
        with suppress(ChatError):  # the room has ended meanwhile
            present = chat.list_present(room)
            for member in await chat.list_members(room):
                if member.author in present:
                    await chat.tell(room, member, f"It is {chat.now():%H:%M} UTC.")
