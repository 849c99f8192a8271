"""Who is typing: signals, their end, and how often changes are published."""

from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    Member,
    NotAMember,
    RateLimited,
    Room,
    Typing,
    TypingChanged,
    TypingSignalled,
)
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    read_all_bytes,
    running_chat,
    sign_in,
)

NAMES = ("Ann", "Ben", "Mira", "Moe", "Zoe")
Place = tuple[Room, list[Member]]


async def make_place(chat: Chat) -> Place:
    room, visitors = await create_room_with_members(chat, "night train", *NAMES)
    members = [await chat.memberships.require(room.id, visitor_id=each.id) for each in visitors]
    return room, members


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return a room and its five members."""
    return await make_place(chat)


async def signal(chat: Chat, *members: Member) -> None:
    """Let members type, one after the other, and publish what has changed."""
    for member in members:
        await chat.typing.signal(member.room_id, visitor_id=member.visitor_id)
    await chat.typing.tick()


def published(recorder: EventRecorder) -> list[Typing]:
    return [event.typing for event in recorder.of_type(TypingChanged)]


async def test_first_to_type_comes_first_and_more_than_four_are_several(
    chat: Chat, place: Place
) -> None:
    room, members = place
    recorder = EventRecorder(chat)
    authors = [member.author for member in members]
    assert chat.typing.get(room.id) == Typing()
    for count in range(1, 6):
        await signal(chat, members[count - 1])
        shown = Typing(tuple(authors[:count])) if count < 5 else Typing(several=True)
        assert chat.typing.get(room.id) == shown
        assert published(recorder)[-1] == shown
    assert len(published(recorder)) == 5


async def test_typing_ends_six_seconds_after_the_last_signal(
    chat: Chat, place: Place, clock: FakeClock
) -> None:
    room, (ann, *_) = place
    await signal(chat, ann)
    recorder = EventRecorder(chat)
    clock.advance(timedelta(seconds=4))
    await signal(chat, ann)
    clock.advance(timedelta(seconds=5.9))
    await chat.typing.tick()
    assert published(recorder) == []
    assert chat.typing.get(room.id) == Typing((ann.author,))
    clock.advance(timedelta(seconds=0.1))
    await chat.typing.tick()
    assert chat.typing.get(room.id) == Typing()
    assert published(recorder) == [Typing()]
    assert (chat.typing._until, chat.typing._published) == ({}, {})


async def test_page_is_never_shown_a_member_whose_end_is_not_published(
    chat: Chat, place: Place
) -> None:
    room, (ann, *_) = place
    recorder = EventRecorder(chat)
    await chat.typing.signal(room.id, visitor_id=ann.visitor_id)
    shown = chat.typing.get(room.id)
    await chat.messages.post(room.id, visitor_id=ann.visitor_id, text="hello")
    assert [shown, *published(recorder)][-1] == Typing()


async def test_typing_ends_with_the_message(chat: Chat, place: Place) -> None:
    room, (ann, ben, *_) = place
    await signal(chat, ann, ben)
    recorder = EventRecorder(chat)
    await chat.messages.post(room.id, visitor_id=ann.visitor_id, text="hello")
    assert published(recorder) == [Typing((ben.author,))]
    await signal(chat, ann)
    assert published(recorder)[1:] == [Typing((ben.author, ann.author))]


async def test_typing_ends_when_the_page_is_closed_or_the_room_is_left(
    chat: Chat, place: Place
) -> None:
    room, (ann, ben, *_) = place
    await chat.presence.enter(ann, page_id="one")
    await signal(chat, ann, ben)
    recorder = EventRecorder(chat)
    await chat.presence.leave(ann, page_id="one")
    await chat.memberships.leave(room.id, visitor_id=ben.visitor_id)
    assert published(recorder) == [Typing((ben.author,)), Typing()]


async def test_ended_room_keeps_no_signals(chat: Chat, place: Place) -> None:
    room, (ann, *_) = place
    await signal(chat, ann)
    await chat.room_deletion.burn(room.id, visitor_id=ann.visitor_id)
    assert (chat.typing._until, chat.typing._published) == ({}, {})


async def test_signal_of_a_stranger_is_refused(chat: Chat, place: Place) -> None:
    room, _ = place
    stranger = await sign_in(chat, "Stranger")
    recorder = EventRecorder(chat)
    with pytest.raises(NotAMember):
        await chat.typing.signal(room.id, visitor_id=stranger.id)
    assert recorder.events == []


async def test_crowd_that_types_is_published_once_and_each_member_once_in_three_seconds(
    chat: Chat, clock: FakeClock
) -> None:
    names = [f"N{number}" for number in range(50)]
    room, visitors = await create_room_with_members(chat, "night train", *names)
    recorder = EventRecorder(chat)
    await chat._heartbeat.end()  # its ticks would publish those who begin one by one
    for _ in range(12):
        for visitor in visitors:
            await chat.typing.signal(room.id, visitor_id=visitor.id)
        await chat.typing.tick()
        clock.advance(timedelta(seconds=1))
    assert published(recorder) == [Typing(several=True)]
    assert len(recorder.of_type(TypingSignalled)) == 4 * len(visitors)


async def test_flood_of_signals_is_refused_and_counted(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, typing_per_visitor="20/1m") as chat:
        _, (ann, ben, *_) = await make_place(chat)
        for _ in range(20):
            await chat.typing.signal(ann.room_id, visitor_id=ann.visitor_id)
        with pytest.raises(RateLimited):
            await chat.typing.signal(ann.room_id, visitor_id=ann.visitor_id)
        await chat.typing.signal(ben.room_id, visitor_id=ben.visitor_id)
        assert chat.limits.count_refused()["typing"] == 1


async def test_signals_are_not_stored(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        _, members = await make_place(chat)
        before = read_all_bytes(tmp_path)
        await signal(chat, *members)
        assert read_all_bytes(tmp_path) == before
