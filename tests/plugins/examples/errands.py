"""A plugin for tests: commands of each kind, a filter with doubts, and messages of a kind."""

import asyncio
from typing import Annotated

from htpy import Element, b, li, p, table, td, th, tr, ul
from pydantic import Field

from anonchat.plugins import Chat, Draft, Language, Member, Message, Plugin, Post, Refused, Room

plugin = Plugin("errands")


@plugin.command()
def fetch(times: Annotated[int, Field(ge=1, le=9)] = 1) -> Post:
    """Fetch dice."""
    return Post(kind="errand-dice", data=[4] * times)


@plugin.command("fetch-rules")
def rules(language: Language) -> str:
    """Read the rules."""
    return "\n".join((f"<b>Rules</b> ({language.code})", "1. Be kind.", "2. Be brief."))


@plugin.command("note-to-self")
async def note(chat: Chat, room: Room, member: Member, text: str) -> None:
    """Tell yourself something on all pages."""
    await chat.tell(room, member, text)


@plugin.command()
async def ponder() -> str:
    """Think for a while."""
    await asyncio.sleep(1)
    return "Thought about it."


@plugin.command("only-once", cooldown="1h")
async def once(chat: Chat, room: Room, member: Member) -> str:
    """Do something once."""
    return f"{member.nickname} knows {len(chat.list_commands(room, member))} commands."


@plugin.command("close-shop", who="owner")
def close() -> str:
    """Close the shop."""
    return "Closed."


@plugin.command()
def stumble() -> None:
    """Fail."""
    raise RuntimeError("the reason is only logged")


@plugin.renderer("errand-dice")
def draw(message: Message) -> Element:
    return table[
        tr[th["Throw"], th["Eyes"]], [tr[td[n], td[b[eyes]]] for n, eyes in throws(message)]
    ]


def throws(message: Message) -> list[tuple[int, int]]:
    """Return the number of each throw and what it shows."""
    return [*enumerate(message.data, 1)]  # type: ignore[arg-type]  # a list, as posted above


@plugin.renderer("errand-list")
def draw_list(message: Message) -> Element:
    return ul[li["A pie"], li[p["Two ", b["big"], " pies"]]]


@plugin.filter
def doubt(draft: Draft) -> Draft:
    if "shout" in draft.text:
        raise Refused("Please do not shout.")
    if "555" in draft.text:
        draft.warn("This looks like a phone number.")
    if "street" in draft.text:
        draft.warn("{This} looks like an address.")
    return draft
