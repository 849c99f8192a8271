"""Listeners of plugins: called once with what happened, in order, without anybody waiting."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from anonchat.plugins import (
    Chat,
    Member,
    MemberJoined,
    MemberLeft,
    Message,
    MessageEdited,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    Plugin,
    Post,
    Room,
    RoomChanged,
    RoomEnded,
    RoomOpened,
    RoomState,
)
from anonchat.plugins.testing import chat_with
from tests.timeouts import DEADLINE

EVENTS = (
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesDeleted,
    RoomChanged,
    RoomEnded,
    RoomOpened,
)


async def test_changes_of_a_message_are_heard_with_its_room() -> None:
    plugin, seen = Plugin("mine"), list[str]()

    @plugin.on(MessageEdited)
    async def hear_edit(event: MessageEdited, room: Room, state: RoomState) -> None:
        await state.put("text", event.message.text)
        seen.append(f"edited in {room.name}: {event.message.text}")

    @plugin.on(MessageReacted)
    def hear_reaction(event: MessageReacted, message: Message) -> None:
        found = [f"{each.emoji} {len(each.authors)}" for each in message.reactions]
        seen.append(f"reacted in {event.room.name}: {found}")

    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        message = await ann.say(room, "one")
        assert isinstance(message, Message)
        messages = chat.host.chat.messages
        await messages.edit(
            room.id, visitor_id=ann.visitor_id, message_id=message.id, text="one more"
        )
        await messages.react(
            room.id, visitor_id=bob.visitor_id, message_id=message.id, emoji="👍", on=True
        )
        await chat.settle()
        assert await chat.state(plugin, room).get("text") == "one more"
    assert seen == ["edited in tea: one more", "reacted in tea: ['👍 1']"]


async def test_a_listener_is_called_once_with_each_event_in_order() -> None:
    plugin, seen = Plugin("mine"), list[Any]()
    for kind in EVENTS:

        def listen(event: Any) -> None:
            seen.append(event)

        listen.__annotations__["event"] = kind
        plugin.on(kind)(listen)

    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        await ann.say(room, "one")
        message = await ann.say(room, "two")
        core = chat.host.chat
        await core.messages.delete(room.id, visitor_id=ann.visitor_id, message_id=message.id)  # type: ignore[union-attr]
        await bob.leave(room)
        await core.room_deletion.close(room.id, until=None)
        await chat.settle()
    assert [type(event) for event in seen] == [
        RoomOpened,
        MemberJoined,
        MemberJoined,
        MessagePosted,
        MessagePosted,
        MessagesDeleted,
        MemberLeft,
        RoomEnded,
    ]
    assert [event.message.text for event in seen if isinstance(event, MessagePosted)] == [
        "one",
        "two",
    ]
    for visitor_id in (ann.visitor_id, bob.visitor_id):
        assert visitor_id not in repr(seen)


async def test_text_that_is_opened_once_reaches_no_plugin() -> None:
    plugin, seen = Plugin("mine"), list[object]()

    @plugin.on(MessagePosted)
    async def listen(event: MessagePosted, message: Message, room: Room, chat: Chat) -> None:
        (reader,) = [each for each in await chat.list_members(room) if each.nickname == "Bob"]
        seen.extend([event, message, await chat.history(room, reader)])

    @plugin.action("Repeat", where="message")
    def repeat(message: Message) -> str:
        seen.append(message)
        return message.text or "nothing"

    async with chat_with(plugin) as chat:
        ann, bob, cid = [await chat.enter(name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.open_room("tea", ann, bob, cid)
        messages = chat.host.chat.messages
        post = Post("under the mat", once=True)
        posted = await messages.post(room.id, visitor_id=ann.visitor_id, post=post)
        text = await messages.open_once(room.id, visitor_id=bob.visitor_id, message_id=posted.id)
        assert text == post.text
        await chat.settle()
        (message,) = await cid.read(room)
        assert await cid.act(room, "Repeat", message) == "nothing"
        assert chat.draw(message) == ""
    assert len(seen) == 4
    assert "mat" not in repr(seen)


async def test_parts_of_the_event_and_the_state_of_its_room_are_injected() -> None:
    plugin = Plugin("mine")
    seen: list[object] = []

    @plugin.on(MessagePosted)
    async def count(
        event: MessagePosted, room: Room, message: Message, state: RoomState, chat: Chat
    ) -> None:
        assert event.room is room and event.message is message
        await state.put("last", message.text)
        seen.append(chat.find_room(room.id).name)

    @plugin.on(MemberJoined)
    async def greet(member: Member, room: Room, chat: Chat) -> None:
        await chat.tell(room, member, f"Welcome, {member.nickname}")

    @plugin.on(MemberLeft)
    async def miss(event: MemberLeft, state: RoomState) -> None:
        await state.put("left", event.author)

    async with chat_with(plugin) as chat:
        ann, bob = await chat.enter("Ann"), await chat.enter("Bob")
        room = await chat.open_room("tea", ann, bob)
        author = (await bob.member(room)).author
        await ann.say(room, "hello")
        await bob.leave(room)
        await chat.settle()
        state = await chat.state(plugin, room).items()
        assert state == {"last": "hello", "left": author}
        assert seen == ["tea"]
        assert bob.told(room) == ["Welcome, Bob"]


async def fail(event: MessagePosted) -> None:
    raise RuntimeError(event.message.text)


async def wait_for_ever(event: MessagePosted) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (fail, "plugin broken: listener of MessagePosted failed in test_listeners.py, line "),
        (wait_for_ever, "plugin broken: listener of MessagePosted took more than 0.2 s"),
    ],
)
async def test_a_listener_fails_alone(
    function: Callable[..., Any],
    line: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anonchat.plugins.listeners._SECONDS", 0.2)
    broken, good, seen = Plugin("broken"), Plugin("good"), list[str]()
    broken.on(MessagePosted)(function)

    @broken.on(MessagePosted)
    @good.on(MessagePosted)
    def listen(event: MessagePosted) -> None:
        seen.append(event.message.text)

    async with chat_with(broken, good) as chat:
        ann = await chat.enter("Ann")
        await ann.say(await chat.open_room("tea", ann), "xyzzy-plugh")
        await chat.settle()
    assert seen == ["xyzzy-plugh"] * 2
    lines = [record.getMessage() for record in caplog.records]
    assert any(each.startswith(line) for each in lines)
    assert "xyzzy" not in "".join(lines)


async def test_nobody_waits_for_a_slow_listener_whose_queue_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("anonchat.plugins.listeners._QUEUE_MAX", 2)
    plugin, seen = Plugin("slow"), list[str]()
    is_running, may_go_on = asyncio.Event(), asyncio.Event()

    @plugin.on(MessagePosted)
    async def listen(event: MessagePosted) -> None:
        seen.append(event.message.text)
        is_running.set()
        await may_go_on.wait()

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, "0")
        await is_running.wait()
        for number in range(1, 5):
            await ann.say(room, f"{number}")
        await chat.host.chat.messages.flush()
        may_go_on.set()
        await chat.settle()
    assert seen == ["0", "3", "4"]
    assert "plugin slow: too slow for all events, the oldest is dropped" in caplog.messages


async def test_deleted_message_is_not_kept_for_a_slow_listener() -> None:
    plugin, seen = Plugin("slow"), list[str]()
    is_running, may_go_on = asyncio.Event(), asyncio.Event()

    @plugin.on(MessagePosted)
    async def listen(event: MessagePosted) -> None:
        seen.append(event.message.text)
        is_running.set()
        await may_go_on.wait()

    async with chat_with(plugin) as chat:
        ann, core = await chat.enter("Ann"), chat.host.chat
        room, ended = await chat.open_room("tea", ann), await chat.open_room("milk", ann)
        await ann.say(room, "first")
        await is_running.wait()
        message = await ann.say(room, "deleted")
        await ann.say(ended, "in a room that ends")
        await ann.say(room, "last")
        await core.messages.flush()
        await core.messages.delete(room.id, visitor_id=ann.visitor_id, message_id=message.id)  # type: ignore[union-attr]
        await core.room_deletion.close(ended.id, until=None)
        may_go_on.set()
        await chat.settle()
    assert seen == ["first", "last"]


async def test_a_listener_that_uses_a_room_that_has_ended_is_warned_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugin = Plugin("mine")

    @plugin.on(RoomEnded)
    async def listen(event: RoomEnded, state: RoomState) -> None:
        await state.put("x", 1)

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await chat.host.chat.room_deletion.close(room.id, until=None)
        await chat.settle()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().endswith(": NotFound")


async def test_chat_stops_while_a_listener_uses_the_database() -> None:
    plugin = Plugin("busy")
    has_begun = asyncio.Event()

    @plugin.on(MessagePosted)
    async def count(event: MessagePosted, state: RoomState) -> None:
        number = 0
        while True:
            number += 1
            await state.put("n", number)
            has_begun.set()

    async with chat_with(plugin) as chat:
        ann = await chat.enter("Ann")
        await ann.say(await chat.open_room("tea", ann), "hello")
        async with asyncio.timeout(DEADLINE):
            await has_begun.wait()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "busy"] == []
