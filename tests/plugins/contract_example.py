"""Dice and a poll."""
from random import SystemRandom
from typing import Annotated

from htpy import Element, b, div
from nicegui import ui
from pydantic import Field

from anonchat.plugins import Chat, Draft, Member, Message, MessagePosted, Plugin, PluginSettings, Post, Refused, Room, RoomState

class Dice(PluginSettings):                     # ANONCHAT_DICE_SIDES: checked at start
    sides: int = 6

plugin = Plugin("dice", settings=Dice)          # translations: locale/*.po beside this file
plugin.theme("felt", accent="#0a6b4f", logo="felt.svg")

@plugin.command(cooldown="3s")
async def roll(settings: Dice, times: Annotated[int, Field(ge=1, le=9)] = 1) -> Post:
    """Roll dice."""
    return Post(kind="dice", data=[SystemRandom().randint(1, settings.sides) for _ in range(times)])

@plugin.renderer("dice")                        # pure; drawn once for all screens
def draw(message: Message) -> Element:
    return div(".dice")[(b[str(n)] for n in message.data)]

@plugin.inline(r":tada:")                       # inside ordinary messages
def tada(match) -> str:
    return "🎉"

@plugin.filter
def calm(draft: Draft) -> Draft:
    if draft.text.isupper():
        raise Refused("Please do not shout")
    return draft

@plugin.panel("Poll", icon="chart")             # ordinary NiceGUI, in the side of a room
async def poll(room: Room, member: Member, state: RoomState) -> None:
    votes = await state.get("votes", {})
    ui.select(["tea", "coffee"], on_change=lambda e: state.put("votes", {**votes, member.author: e.value}))

@plugin.action("Roll", icon="dice", where="room")   # or where="message": (room, member, message)
async def roll_button(room: Room, member: Member, chat: Chat) -> None:
    await chat.run_command(room, member, "/roll 2")

@plugin.page("/about", title="About", in_menu=True)
def about() -> None:
    ui.markdown("…")

@plugin.on(MessagePosted)
async def count(event: MessagePosted) -> None: ...

@plugin.every("10m")                            # also plugin.cron("0 9 * * mon"); on one node of several
async def remind(chat: Chat) -> None: ...
