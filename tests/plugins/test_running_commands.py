"""Commands run once, are found in any case, and are forgotten soon."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count

import pytest

from anonchat import InvalidMessage, RateLimited, split_command, unescape_slash
from anonchat.events import LimitUsage
from anonchat.plugins import Chat as PluginChat
from anonchat.plugins import CommandInfo, Member, Plugin, Post, RoomState
from anonchat.plugins.testing import TestChat, chat_with
from tests.timeouts import DEADLINE

numbers = count(1)
plugin = Plugin("counting")
is_running, may_end = asyncio.Event(), asyncio.Event()


@plugin.command()
async def wait() -> str:
    """Wait until the test lets it end."""
    number = next(numbers)
    is_running.set()
    await may_end.wait()
    return f"run {number}"


@plugin.command(cooldown="10s")
async def rest() -> str:
    """Rest."""
    return f"run {next(numbers)}"


@plugin.command()
def fail() -> str:
    """Fail at first."""
    if next(numbers) < 2:
        raise RuntimeError
    return "done"


@plugin.command()
def say(text: str) -> Post:
    """Say something."""
    return Post(text)


@plugin.command()
def roll() -> Post:
    """Post something that is more than a text."""
    return Post("a six", kind="dice", data=[6])


@plugin.command(who="owner")
def end(chat: PluginChat) -> str:
    """End."""
    return chat.name


@plugin.action("Wave")
def wave(member: Member) -> str:
    return f"{member.nickname} waves."


@pytest.fixture
async def chat() -> AsyncIterator[TestChat]:
    global numbers, is_running, may_end  # events belong to one loop, which is that of a test
    numbers, is_running, may_end = count(1), asyncio.Event(), asyncio.Event()
    async with chat_with(plugin) as chat:
        yield chat


async def test_command_sent_again_while_it_runs_is_not_run_twice(chat: TestChat) -> None:
    ann = await chat.enter("Ann")
    room = await chat.open_room("tea", ann)
    runs = [
        asyncio.create_task(chat.host.run_command(room.id, ann.visitor_id, "/wait", dedup_id="1"))
        for _ in range(2)
    ]
    await is_running.wait()
    may_end.set()
    assert {(await run).told for run in runs} == {"run 1"}
    assert (await chat.host.run_command(room.id, ann.visitor_id, "/wait")).told == "run 2"


async def test_cancelled_caller_does_not_stop_the_command(chat: TestChat) -> None:
    ann = await chat.enter("Ann")
    room = await chat.open_room("tea", ann)
    first = asyncio.create_task(
        chat.host.run_command(room.id, ann.visitor_id, "/wait", dedup_id="1")
    )
    await is_running.wait()
    first.cancel()
    may_end.set()
    again = await chat.host.run_command(room.id, ann.visitor_id, "/wait", dedup_id="1")
    assert again.told == "run 1"


async def test_failed_command_can_be_sent_again(chat: TestChat) -> None:
    ann = await chat.enter("Ann")
    room = await chat.open_room("tea", ann)
    with pytest.raises(Exception, match="That did not work"):
        await chat.host.run_command(room.id, ann.visitor_id, "/fail", dedup_id="1")
    result = await chat.host.run_command(room.id, ann.visitor_id, "/fail", dedup_id="1")
    assert result.told == "done"


async def test_dedup_id_is_of_one_room_and_bounded(chat: TestChat) -> None:
    ann = await chat.enter("Ann")
    rooms = [await chat.open_room(name, ann) for name in ("tea", "coffee")]
    for room in rooms:
        result = await chat.host.run_command(room.id, ann.visitor_id, "/say hello", dedup_id="1")
        assert result.message
        assert [message.text for message in await ann.read(room)] == ["hello"]
    with pytest.raises(InvalidMessage):
        await chat.host.run_command(rooms[0].id, ann.visitor_id, "/rest", dedup_id="1" * 65)


async def test_limit_of_commands_counts_those_of_all_rooms() -> None:
    async with chat_with(plugin, commands_per_visitor="2/1h") as chat:
        ann = await chat.enter("Ann")
        for name in ("tea", "coffee"):
            await ann.say(await chat.open_room(name, ann), "/say hello")
        with pytest.raises(RateLimited):
            await ann.say(await chat.open_room("milk", ann), "/say hello")


async def test_actions_have_a_limit_of_their_own() -> None:
    limits = {"actions_per_visitor": "2/1h", "commands_per_visitor": "1/1h"}
    async with chat_with(plugin, **limits) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/say hello")
        for _ in range(2):
            await ann.act(room, "Wave")
        with pytest.raises(RateLimited):
            await ann.act(room, "Wave")
        assert await bob.act(room, "Wave") == "Bob waves."


async def test_cooldown_counts_the_uses_on_other_nodes() -> None:
    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        name, core = "cooldown of /rest", chat.host.chat
        used = core.limits._shared[name].hash_key(f"{room.id} {ann.visitor_id}")
        await core.bus.publish_local(LimitUsage({name: {used: 1.0}}))  # as if by another node
        with pytest.raises(RateLimited):
            await ann.say(room, "/rest")
        await bob.say(room, "/rest")
        await chat.advance("10s")
        await ann.say(room, "/rest")


async def test_plugins_list_the_commands_that_a_member_may_use(chat: TestChat) -> None:
    ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
    room = await chat.open_room("tea", ann, bob)
    listed = plugin.chat.list_commands(room, await ann.member(room))
    assert CommandInfo("say", "/say <text>", "Say something.") in listed
    assert [each.name for each in listed] == ["end", "fail", "rest", "roll", "say", "wait"]
    of_bob = plugin.chat.list_commands(room, await bob.member(room))
    assert {*listed} - {*of_bob} == {CommandInfo("end", "/end", "End.")}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/roll", ("roll", "")),
        (" /Roll  2 d6 ", ("roll", "2 d6")),
        ("/r\nx", ("r", "x")),
        ("//roll", None),
        ("/usr/bin", None),
        ("/1", None),
        ("roll", None),
        ("/", None),
    ],
)
def test_text_is_read_as_a_command(text: str, found: tuple[str, str] | None) -> None:
    assert split_command(text) == found


def test_two_slashes_are_one() -> None:
    assert [unescape_slash(text) for text in ("//x", " ///x", "/x", "a//x")] == [
        "/x",
        "//x",
        "/x",
        "a//x",
    ]


async def test_chat_stops_while_a_command_uses_the_database() -> None:
    has_begun = asyncio.Event()
    busy = Plugin("busy")

    @busy.command()
    async def count(state: RoomState) -> None:
        number = 0
        while True:
            number += 1
            await state.put("n", number)
            has_begun.set()

    async with chat_with(busy) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        caller = asyncio.create_task(ann.say(room, "/count"))
        async with asyncio.timeout(DEADLINE):
            await has_begun.wait()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_what_a_command_posts_has_the_lifetime_that_its_caller_has_chosen(
    chat: TestChat,
) -> None:
    ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
    room = await chat.open_room("tea", ann, bob)
    minute = timedelta(minutes=1)
    said = await chat.host.run_command(room.id, ann.visitor_id, "/say hello", ttl=minute)
    assert said.message
    assert said.message.expires_at - said.message.posted_at == minute
    once = await chat.host.run_command(room.id, ann.visitor_id, "/say secret", once=True)
    assert once.message
    assert (once.message.once, once.message.text) == (True, "")
    with pytest.raises(InvalidMessage, match="Only a text"):
        await chat.host.run_command(room.id, ann.visitor_id, "/roll", once=True)
