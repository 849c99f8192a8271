"""Polls."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from anonchat import NotAMember
from anonchat.plugins import Refused, Room
from anonchat.plugins.builtin import polls
from anonchat.plugins.testing import Person, TestChat, chat_with
from tests.plugins.shown_panel import show_panel

# The loop of NiceGUI, if other tests have started it.
pytestmark = pytest.mark.asyncio(loop_scope="session")

_HINT = 'No poll is open. /poll "Tea or coffee?" tea coffee opens one.'


@asynccontextmanager
async def _three() -> AsyncIterator[tuple[TestChat, Room, list[Person]]]:
    async with chat_with(polls.plugin) as chat:
        people = [await chat.enter(name) for name in ("Ann", "Bob", "Cid")]
        yield chat, await chat.open_room("tea", *people), people


@pytest.mark.parametrize(
    ("line", "question", "options"),
    [
        ('/poll "Tea or coffee?" tea coffee', "Tea or coffee?", ["tea", "coffee"]),
        ('/poll Lunch? "at noon" "at one" later', "Lunch?", ["at noon", "at one", "later"]),
        ("/poll Lunch? “at noon” «at one»", "Lunch?", ["at noon", "at one"]),
    ],
)
async def test_poll_is_posted(line: str, question: str, options: list[str]) -> None:
    async with _three() as (chat, room, (ann, bob, _)):
        await bob.say(room, line)
        (message,) = await ann.read(room)
        shown = polls.Shown.model_validate(message.data)
        assert (message.kind, shown.question, shown.options) == ("poll", question, options)
        assert message.text.splitlines() == [question, *(f"• {option}" for option in options)]
        assert question in str(chat.host.drawer.draw(message))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("/poll Why? because", "2 to 10 different"),
        ("/poll Why? no no", "2 to 10 different"),
        ("/poll Why? 1 2 3 4 5 6 7 8 9 10 11", "2 to 10 different"),
        (f"/poll {'?' * 201} yes no", "too long"),
        (f"/poll Why? yes {'o' * 81}", "too long"),
        ("/poll Why?", "/poll <question> <options>"),
    ],
)
async def test_poll_that_cannot_be_is_refused(line: str, reason: str) -> None:
    async with _three() as (chat, room, (ann, _, _)):
        with pytest.raises(Refused, match=reason):
            await ann.say(room, line)
        assert await chat.state(polls.plugin, room).items() == {}


async def test_everybody_has_one_vote_which_they_may_change() -> None:
    async with _three() as (_chat, room, (ann, bob, cid)):
        await ann.say(room, "/poll Drink? tea coffee")
        async with (
            show_panel(ann, room, "Polls") as of_ann,
            show_panel(bob, room, "Polls") as of_bob,
            show_panel(cid, room, "Polls") as of_cid,
        ):
            await of_ann.click("tea")
            await of_bob.click("tea")
            await of_bob.click("coffee")
            await of_cid.click("coffee")
            await of_ann.redraw()
            assert of_ann.list_texts() == [
                "Drink?", "tea", "1", "coffee", "2", "Close the poll",
            ]  # fmt: skip
            assert of_ann.find("tea").props["aria-pressed"] == "true"
            assert of_ann.find("coffee").props["aria-pressed"] == "false"


async def test_panel_follows_polls_that_open_and_close() -> None:
    async with _three() as (_chat, room, (ann, bob, _)):
        async with show_panel(bob, room, "Polls") as panel:
            assert panel.list_texts() == [_HINT]
            await ann.say(room, "/poll Drink? tea coffee")
            await panel.redraw()
            assert panel.list_texts() == ["Drink?", "tea", "0", "coffee", "0"]
            async with show_panel(ann, room, "Polls") as of_ann:
                await of_ann.click("Close the poll")
            await panel.redraw()
            assert panel.list_texts() == [_HINT]


async def test_closing_posts_the_result() -> None:
    async with _three() as (chat, room, (ann, bob, _)):
        await bob.say(room, "/poll Drink? tea coffee")
        async with show_panel(bob, room, "Polls") as panel:
            await panel.click("coffee")
            await panel.click("Close the poll")
        message = (await ann.read(room))[-1]
        assert message.text == "Drink?\n• tea 0\n• coffee 1"
        drawn = str(chat.host.drawer.draw(message))
        assert re.findall(r'<meter value="(\d+)" max="1">', drawn) == ["0", "1"]
        assert await chat.state(polls.plugin, room).items() == {}


async def test_poll_that_two_people_close_at_once_has_one_result() -> None:
    async with _three() as (_chat, room, (ann, bob, _)):
        await bob.say(room, "/poll Drink? tea coffee")
        async with show_panel(ann, room, "Polls") as one, show_panel(bob, room, "Polls") as other:
            await asyncio.gather(*(each.click("Close the poll") for each in (one, other)))
        assert len(await ann.read(room)) == 2


async def test_owner_of_the_room_closes_polls_of_others() -> None:
    async with _three() as (_chat, room, (ann, bob, cid)):
        await bob.say(room, "/poll Drink? tea coffee")
        async with show_panel(ann, room, "Polls") as panel:
            assert "Close the poll" in panel.list_texts()
        async with show_panel(cid, room, "Polls") as panel:
            assert "Close the poll" not in panel.list_texts()


async def test_five_polls_are_open_at_most() -> None:
    async with _three() as (chat, room, (ann, _, _)):
        for number in range(5):
            await chat.advance("5s")
            await ann.say(room, f"/poll {number}? yes no")
        await chat.advance("5s")
        with pytest.raises(Refused, match="5 polls are open"):
            await ann.say(room, "/poll more? yes no")


async def test_who_has_left_does_not_vote() -> None:
    async with _three() as (chat, room, (ann, bob, _)):
        await ann.say(room, "/poll Drink? tea coffee")
        async with show_panel(bob, room, "Polls") as panel:
            await bob.leave(room)
            with pytest.raises(NotAMember):
                await panel.click("tea")
        (poll,) = (await chat.state(polls.plugin, room).items()).values()
        assert polls.Poll.model_validate(poll).votes == {}
