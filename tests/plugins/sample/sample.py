"""A plugin with a panel, actions, pages and a style sheet, for the tests of the pages."""

import asyncio
import time
from pathlib import Path

from nicegui import app, ui
from nicegui.events import ValueChangeEventArguments

from anonchat.plugins import (
    Chat,
    Member,
    Message,
    Plugin,
    Post,
    Refused,
    Room,
    RoomState,
    Visitor,
)

plugin = Plugin("sample", css="sample.css")

FILE = app.add_static_file(local_file=Path(__file__).with_name("sample.svg"))
PICTURES = {
    "of a file": FILE,
    "in a URL": "data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs=",
}


@plugin.panel("Votes", icon="chart")
async def show_votes(member: Member, state: RoomState) -> None:
    """Let people vote."""

    @ui.refreshable
    async def show_counts() -> None:
        votes = dict(await state.items())
        for drink in ("tea", "coffee"):
            ui.label(f"{drink}: {list(votes.values()).count(drink)}")

    async def vote(event: ValueChangeEventArguments[str]) -> None:
        await state.put(member.author, event.value)

    ui.select(["tea", "coffee"], label="Drink", on_change=vote)
    ui.label("nothing chosen").classes("sample-styled")
    ui.button("Fail", on_click=_fail)
    ui.button("Fail later", on_click=_fail_later)
    ui.button("Block", on_click=_block)
    ui.button("Block later", on_click=_block_later)
    await show_counts()
    state.watch(show_counts.refresh)


@plugin.panel("Broken", icon="no-such-icon")
def show_half() -> None:
    """Fail halfway."""
    ui.label("a half")
    _fail()


@plugin.action("Roll", icon="dice")
async def roll() -> Post:
    """Post as the member."""
    return Post("rolled a 4")


@plugin.action("Whisper", icon="no-such-icon")
def whisper(member: Member) -> str:
    """Tell the member alone."""
    return f"only {member.nickname} reads this"


@plugin.action("Quote", where="message")
async def quote(room: Room, member: Member, message: Message, chat: Chat) -> None:
    """Post the text of a message again."""
    await chat.post(room, member, f"quoted: {message.text}")


@plugin.action("Judge", where="message")
def judge(message: Message) -> None:
    """Refuse."""
    raise Refused("Who are we to judge?")


@plugin.page("/about", title="About", in_menu=True)
def about() -> None:
    """Show text, and a button that fails."""
    ui.markdown("Rooms **forget**.")
    for title, url in PICTURES.items():
        ui.image(url).props(f'alt="{title}"').classes("w-8")
    ui.button("Fail", on_click=_fail)


@plugin.page("/mine", title="Mine")
async def mine(visitor: Visitor) -> None:
    """Greet whoever has signed in."""
    ui.label(f"Hello, {visitor.nickname}")


@plugin.page("/broken-plugin", title="Broken")
def broken() -> None:
    """Fail."""
    _fail()


@plugin.page("/closed", title="Closed")
def closed() -> None:
    """Refuse."""
    raise Refused("Closed today")


@plugin.router.post("/echo")
async def echo(body: dict[str, str]) -> dict[str, str]:
    """Answer with what another program has sent."""
    return body


def _fail() -> None:
    raise ValueError("what somebody wrote")


async def _fail_later() -> None:
    _fail()


def _block() -> None:
    time.sleep(0.15)


async def _block_later() -> None:
    await asyncio.sleep(0)
    _block()
