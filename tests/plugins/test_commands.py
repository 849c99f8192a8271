"""Commands of plugins: who may run them, how often, and what becomes of their results."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field

from anonchat.errors import (
    InvalidMessage,
    NeedsConfirmation,
    NotAllowed,
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
)
from anonchat.plugins import (
    Chat,
    Draft,
    Language,
    Member,
    Plugin,
    PluginSettings,
    Post,
    Room,
    RoomState,
    Visitor,
)
from anonchat.plugins.errors import PluginFailed
from anonchat.plugins.testing import chat_with

SECRET = "xyzzy-plugh"


def plugin_of(function: Callable[..., Any], **options: Any) -> Plugin:
    plugin = Plugin("mine")
    plugin.command("do", **options)(function)
    return plugin


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("result", [None, "psst", Post("hello"), Post(kind="dice", data=[1, 2])])
async def test_the_result_is_told_or_posted(result: Post | str | None, is_async: bool) -> None:
    def do() -> Post | str | None:
        return result

    async def do_later() -> Post | str | None:
        await asyncio.sleep(0)
        return result

    async with chat_with(plugin_of(do_later if is_async else do)) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        answer = await ann.say(room, "/do")
        messages = await bob.read(room)
    if isinstance(result, Post):
        (message,) = messages
        assert answer == message
        assert (message.nickname, message.kind, message.data) == ("Ann", result.kind, result.data)
        assert not result.text or message.text == result.text
    else:
        assert answer == result
        assert messages == []


async def test_a_long_text_is_cut() -> None:
    async with chat_with(plugin_of(lambda: "x" * 10_000)) as chat:
        ann = await chat.enter("Ann")
        assert await ann.say(await chat.open_room("tea", ann), "/do") == "x" * 4_000


class Dice(PluginSettings):
    sides: int = 6


async def test_parameters_are_injected_by_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_DICE_SIDES", "20")
    plugin = Plugin("dice", settings=Dice)
    given: dict[str, Any] = {}

    @plugin.command()
    def roll(
        times: int,
        settings: Dice,
        room: Room,
        text: str,
        *,
        visitor: Visitor | None,
        chat: Chat,
        member: Member,
        state: RoomState,
        language: Language,
    ) -> None:
        """Roll dice.

        More about it.
        """
        given.update(locals())

    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "/roll 2 for me", language="ru")
        assert given["times"] == 2
        assert given["text"] == "for me"
        assert given["settings"].sides == 20
        assert given["room"] == room
        assert given["member"] == await ann.member(room)
        assert given["member"].is_owner and not (await bob.member(room)).is_owner
        assert given["visitor"].nickname == "Ann"
        assert given["language"].code == "ru"
        assert given["chat"].find_room(room.id) == room
        await given["state"].put("x", 1)
        assert await chat.state(plugin, room).get("x") == 1
        for value in (given["member"], given["visitor"]):
            assert ann.visitor_id not in repr(value)
        member = await chat.host.chat.memberships.require(room.id, ann.visitor_id)
        (info,) = chat.host.list_commands(member, room)
        assert (info.name, info.usage, info.help) == ("roll", "/roll <times> <text>", "Roll dice.")


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("/do", Refused, "Use it like this: /do <times> [side]"),
        ("/do 1 heads 2", Refused, "Use it like this: /do <times> [side]"),
        (
            "/do 10",
            Refused,
            "times: Input should be less than or equal to 9. Use it like this: /do",
        ),
        ("/do 1 edge", Refused, "side: Input should be 'heads' or 'tails'. Use it like this: /do"),
        ("/undo", NotFound, "There is no command /undo. "),
    ],
)
async def test_a_wrong_line_is_answered_with_the_usage(
    text: str, error: type[Exception], reason: str
) -> None:
    def do(
        times: Annotated[int, Field(ge=1, le=9)], side: Literal["heads", "tails"] = "heads"
    ) -> None: ...

    async with chat_with(plugin_of(do)) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(error) as raised:
            await ann.say(room, text)
        assert str(raised.value).startswith(reason)
        assert await ann.read(room) == []


async def test_a_text_with_slashes_is_posted() -> None:
    async with chat_with(plugin_of(lambda: None)) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        for text in ("//do", "/", "/etc/do", "and /do", "/1"):
            await ann.say(room, text)
        texts = [message.text for message in await ann.read(room)]
    assert texts == ["/do", "/", "/etc/do", "and /do", "/1"]


@pytest.mark.parametrize("who", ["helpers", "owner"])
async def test_a_command_of_the_owner_is_refused_to_others(who: str) -> None:
    async with chat_with(plugin_of(lambda: "done", who=who)) as chat:
        ann, bob, eve = [await chat.enter(name) for name in ("Ann", "Bob", "Eve")]
        room = await chat.open_room("tea", ann, bob)
        assert await ann.say(room, "/do") == "done"
        with pytest.raises(NotAllowed):
            await bob.say(room, "/do")
        with pytest.raises(NotAMember):
            await eve.say(room, "/do")
        require = chat.host.chat.memberships.require
        for person, count in ((ann, 1), (bob, 0)):
            member = await require(room.id, person.visitor_id)
            assert len(chat.host.list_commands(member, room)) == count


async def test_the_cooldown_is_of_each_person_and_follows_the_clock() -> None:
    async with chat_with(plugin_of(lambda: "done", cooldown="90s")) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        assert await ann.say(room, "/do") == "done"
        await chat.advance("30s")
        with pytest.raises(RateLimited) as raised:
            await ann.say(room, "/do")
        assert raised.value.details == {"seconds": 60}
        assert await bob.say(room, "/do") == "done"
        await chat.advance("60s")
        assert await ann.say(room, "/do") == "done", "a refused one does not count"


async def test_a_wrong_line_does_not_start_the_cooldown() -> None:
    def do(times: int) -> str:
        return "done"

    async with chat_with(plugin_of(do, cooldown="90s")) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused):
            await ann.say(room, "/do twice")
        assert await ann.say(room, "/do 2") == "done"


async def test_a_command_that_is_sent_again_is_run_once() -> None:
    calls: list[str] = []
    is_running, may_go_on = asyncio.Event(), asyncio.Event()

    async def do(text: str) -> Post:
        calls.append(text)
        is_running.set()
        await may_go_on.wait()
        return Post(kind="call", data=len(calls))

    async with chat_with(plugin_of(do)) as chat:
        ann = await chat.enter("Ann")
        room, other = await chat.open_room("tea", ann), await chat.open_room("coffee", ann)

        async def send(place: Room, dedup_id: str) -> Any:
            run = chat.host.run_command
            return (await run(place.id, ann.visitor_id, "/do it", dedup_id=dedup_id)).message

        first = asyncio.create_task(send(room, "1"))
        second = asyncio.create_task(send(room, "1"))
        await is_running.wait()
        may_go_on.set()
        assert await first == await second == await send(room, "1")
        assert calls == ["it"]
        assert (await send(room, "2")).data == 2
        assert (await send(other, "1")).room_id == other.id, "an id is valid in one room"
        assert len(await ann.read(room)) == 2


async def test_a_command_that_failed_can_be_sent_again() -> None:
    refusals = [Refused("not yet")]

    def do() -> str:
        if refusals:
            raise refusals.pop()
        return "done"

    async with chat_with(plugin_of(do)) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        run = chat.host.run_command
        with pytest.raises(Refused, match="not yet"):
            await run(room.id, ann.visitor_id, "/do", dedup_id="1")
        assert (await run(room.id, ann.visitor_id, "/do", dedup_id="1")).told == "done"


def fail_at_once(text: str) -> None:
    raise RuntimeError(text)


async def fail_later(text: str) -> None:
    await asyncio.sleep(0)
    {}[text]


async def time_out(text: str) -> None:
    raise TimeoutError(text)


def return_number(text: str) -> int:
    return len(text)


def fail_to_read(text: Annotated[str, AfterValidator(fail_at_once)]) -> None: ...


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (fail_at_once, "plugin mine: command /do failed in test_commands.py, line "),
        (fail_later, "plugin mine: command /do failed in test_commands.py, line "),
        (time_out, "plugin mine: command /do failed in test_commands.py, line "),
        (return_number, "plugin mine: return_number returned neither a Post nor a text, but a val"),
        (fail_to_read, "plugin mine: arguments of /do failed in test_commands.py, line "),
    ],
)
async def test_a_command_that_fails_is_logged_without_what_was_written(
    function: Callable[..., Any], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with chat_with(plugin_of(function)) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(PluginFailed, match="That did not work") as raised:
            await ann.say(room, f"/do {SECRET}")
        assert SECRET not in str(raised.value)
        assert await ann.read(room) == []
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(line)
    assert SECRET not in message


async def test_a_command_that_blocks_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    async def do() -> None:
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.15
        while loop.time() < end:
            pass

    async with chat_with(plugin_of(do)) as chat:
        ann = await chat.enter("Ann")
        await ann.say(await chat.open_room("tea", ann), "/do")
    lines = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert any(line.startswith("plugin mine: command /do blocked all visitors") for line in lines)


async def test_a_command_may_run_another_and_speak_for_the_chat() -> None:
    plugin = Plugin("mine")

    @plugin.command()
    async def twice(chat: Chat, room: Room, member: Member) -> str:
        await chat.tell(room, member, "listen")
        await chat.post(room, member, Post("aside", nickname="Echo"))
        return await chat.run_command(room, member, "/once 1")

    @plugin.command()
    def once(times: int) -> str:
        return f"once {times}"

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        assert await ann.say(room, "/twice") == "once 1"
        assert ann.told(room) == ["listen", "once 1"]
        (message,) = await ann.read(room)
        assert (message.text, message.nickname) == ("aside", "Echo")


async def test_a_post_that_cannot_be_stored_is_refused() -> None:
    async with chat_with(plugin_of(lambda: Post(kind="big", data="x" * 20_000))) as chat:
        ann = await chat.enter("Ann")
        with pytest.raises(InvalidMessage):
            await ann.say(await chat.open_room("tea", ann), "/do")


async def test_warning_about_what_a_command_says_is_asked_and_the_command_runs_once() -> None:
    runs: list[str] = []
    plugin = Plugin("mine")

    @plugin.command()
    def shout(text: str) -> Post:
        runs.append(text)
        return Post(text.upper())

    @plugin.filter
    def warn(draft: Draft) -> None:
        draft.warn("That is loud.")

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        send = partial(chat.host.run_command, room.id, ann.visitor_id, "/shout hey", dedup_id="1")
        with pytest.raises(NeedsConfirmation):
            await send(confirmed=False)
        assert await ann.read(room) == []
        first, second = await send(confirmed=True), await send(confirmed=True)
        assert first.message == second.message == (await ann.read(room))[0]
    assert runs == ["hey"]


async def test_unconfirmed_post_is_not_said_in_place_of_another_command() -> None:
    plugin = Plugin("mine")

    @plugin.command()
    def echo(text: str) -> Post:
        return Post(text)

    @plugin.filter
    def warn(draft: Draft) -> None:
        draft.warn("That is doubtful.")

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(NeedsConfirmation):
            await chat.host.run_command(room.id, ann.visitor_id, "/echo one", confirmed=False)
        await chat.host.run_command(room.id, ann.visitor_id, "/echo two")
        assert [message.text for message in await ann.read(room)] == ["two"]


async def test_what_a_command_is_given_and_tells_is_bounded_like_a_message() -> None:
    plugin = Plugin("mine")

    @plugin.command()
    async def echo(text: str, chat: Chat, room: Room, member: Member) -> str:
        await chat.tell(room, member, text * 5_000)
        return text

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        assert await ann.say(room, "/echo a\x00\u200eb") == "a\u200eb"
        assert [len(text) for text in ann.told(room)] == [4_000]
        with pytest.raises(InvalidMessage, match="4000 at most"):
            await ann.say(room, f"/echo {'x' * 4_000}")


async def test_an_argument_may_have_any_name() -> None:
    def do(what: str, seconds: int, arguments: str, call: str, values: str) -> str:
        return f"{what} {seconds} {arguments} {call} {values}"

    async with chat_with(plugin_of(do)) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        assert await ann.say(room, "/do tea 5 a b c") == "tea 5 a b c"
