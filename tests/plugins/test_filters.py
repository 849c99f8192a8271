"""Filters of plugins: what is posted passes all of them, or is not posted."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from anonchat.errors import NeedsConfirmation, Refused
from anonchat.plugins import Draft, Member, Plugin, PluginSettings, Post, Room, RoomState
from anonchat.plugins.testing import Person, TestChat, chat_with

SECRET = "xyzzy-plugh"
UNCHECKED = "This could not be checked, so it was not posted. Please try again."


def plugin_of(*functions: Callable[..., Any], name: str = "mine") -> Plugin:
    plugin = Plugin(name)
    for function in functions:
        plugin.filter(function)
    return plugin


async def open_room(chat: TestChat) -> tuple[Person, Room]:
    ann = await chat.enter("Ann")
    return ann, await chat.open_room("tea", ann)


async def test_each_filter_sees_what_the_one_before_made() -> None:
    def add_one(draft: Draft) -> None:
        draft.text += " one"

    def add_two(draft: Draft) -> Draft:
        return Draft(f"{draft.text} two")

    async def add_three(draft: Draft) -> Draft:
        await asyncio.sleep(0)
        draft.text += " three"
        draft.nickname = "Echo"
        return draft

    async with chat_with(plugin_of(add_one), plugin_of(add_two, add_three, name="two")) as chat:
        ann, room = await open_room(chat)
        await ann.say(room, "zero")
        (message,) = await ann.read(room)
    assert (message.text, message.nickname) == ("zero one two three", "Echo")


async def test_a_refusal_is_shown_as_it_is() -> None:
    def calm(draft: Draft) -> Draft:
        if draft.text.isupper():
            raise Refused("Please do not shout: {draft}")
        return draft

    async with chat_with(plugin_of(calm)) as chat:
        ann, room = await open_room(chat)
        with pytest.raises(Refused, match=re.escape("Please do not shout: {draft}")):
            await ann.say(room, "HELLO")
        await ann.say(room, "hello")
        assert [message.text for message in await ann.read(room)] == ["hello"]


async def test_warnings_of_all_filters_are_asked_about_once() -> None:
    def warn(draft: Draft) -> None:
        draft.warn("This has a number.")

    def warn_too(draft: Draft) -> Draft:
        changed = Draft(draft.text)
        changed.warn("This is short.")
        return changed

    async with chat_with(plugin_of(warn, warn_too)) as chat:
        ann, room = await open_room(chat)
        with pytest.raises(NeedsConfirmation, match="Send this anyway") as raised:
            await ann.say(room, "1")
        assert raised.value.details["warnings"] == ("This has a number.", "This is short.")
        assert await ann.read(room) == []
        await ann.say(room, "1", anyway=True)
        assert len(await ann.read(room)) == 1


def fail(draft: Draft) -> None:
    raise RuntimeError(draft.text)


async def fail_later(draft: Draft) -> None:
    await asyncio.sleep(0)
    raise TimeoutError(draft.text)


def answer_text(draft: Draft) -> str:
    return draft.text


def set_number(draft: Draft) -> None:
    draft.text = 5  # type: ignore[assignment]


def warn_number(draft: Draft) -> None:
    draft.warnings.append(5)  # type: ignore[arg-type]


async def wait_for_ever(draft: Draft) -> None:
    await asyncio.Event().wait()


def sleep_long(draft: Draft) -> None:
    time.sleep(1.01)


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (fail, "plugin mine: filter fail failed in test_filters.py, line "),
        (fail_later, "plugin mine: filter fail_later failed in test_filters.py, line "),
        (answer_text, "plugin mine: filter answer_text made no Draft that can be posted"),
        (set_number, "plugin mine: filter set_number made no Draft that can be posted"),
        (warn_number, "plugin mine: filter warn_number made no Draft that can be posted"),
        (wait_for_ever, "plugin mine: filter wait_for_ever took more than 1.0 s"),
        (sleep_long, "plugin mine: filter sleep_long took more than 1.0 s"),
    ],
)
async def test_a_filter_that_fails_lets_nothing_pass(
    function: Callable[..., Any], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with chat_with(plugin_of(function)) as chat:
        ann, room = await open_room(chat)
        with pytest.raises(Refused, match=UNCHECKED):
            await ann.say(room, SECRET, anyway=True)
        assert await ann.read(room) == []
    lines = [record.getMessage() for record in caplog.records]
    assert any(each.startswith(line) for each in lines)
    assert SECRET not in "".join(lines)


async def test_time_in_which_the_loop_stands_still_does_not_count() -> None:
    async def check(draft: Draft) -> None:
        for _ in range(3):
            await asyncio.sleep(0.01)

    async with chat_with(plugin_of(check)) as chat:
        ann, room = await open_room(chat)
        saying = asyncio.create_task(ann.say(room, "hello"))
        for _ in range(3):
            await asyncio.sleep(0)
            sleep_long(Draft(""))  # others keep the machine busy
        await saying
        assert len(await ann.read(room)) == 1


class Words(PluginSettings):
    bad: str = "rum"


async def test_a_filter_may_ask_for_more_than_the_draft() -> None:
    plugin = Plugin("words", settings=Words)
    seen: list[object] = []

    @plugin.filter
    def of_settings(draft: Draft, settings: Words) -> None:
        draft.text = draft.text.replace(settings.bad, "***")

    @plugin.filter
    async def of_member(draft: Draft, room: Room, member: Member, state: RoomState) -> None:
        await state.change(lambda values: values.update(posts=values.get("posts", 0) + 1))  # type: ignore[operator]
        seen.extend((room.name, member.nickname, await state.get("posts")))

    async with chat_with(plugin) as chat:
        ann, room = await open_room(chat)
        await ann.say(room, "a bottle of rum")
        assert (await ann.read(room))[0].text == "a bottle of ***"
        assert seen == ["tea", "Ann", 1]


async def test_what_commands_post_is_filtered_too() -> None:
    def calm(draft: Draft) -> None:
        if draft.kind == "dice":
            raise Refused("No gambling.")

    plugin = plugin_of(calm)
    plugin.command("roll")(lambda: Post(kind="dice", data=1))
    async with chat_with(plugin) as chat:
        ann, room = await open_room(chat)
        with pytest.raises(Refused, match="No gambling"):
            await ann.say(room, "/roll")
        assert await ann.read(room) == []


async def test_a_filtered_post_keeps_the_limits() -> None:
    def swell(draft: Draft) -> None:
        draft.text = "x" * 10_000

    async with chat_with(plugin_of(swell)) as chat:
        ann, room = await open_room(chat)
        with pytest.raises(Exception, match="characters"):
            await ann.say(room, "hello")
