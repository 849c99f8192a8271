"""Searching the messages of a room."""

import asyncio
import gc
import time
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, NotAMember, RateLimited, Room, Visitor, make_excerpt, split_query
from anonchat.storage import message_search
from anonchat.text.search import EXCERPT_CHARACTERS, QUERY_CHARACTERS, has_words
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    post_messages,
    read_all_bytes,
    running_chat,
    sign_in,
)


@pytest.fixture
async def room_and_members(chat: Chat) -> tuple[Room, Visitor, Visitor]:
    """Return a room and its two members."""
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return room, ann, bob


async def find(
    chat: Chat, room: Room, visitor: Visitor, query: str, *, limit: int = 50
) -> list[str]:
    """Return the texts that a search finds."""
    found = await chat.messages.search(room.id, visitor_id=visitor.id, query=query, limit=limit)
    return [message.text for message in found.messages]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The Night Train", "night"),
        ("ПОЕЗД опоздал", "поезд"),
        ("ﬁne Ｗｉｄｅ letters", "fine wide"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "café"),
        ("one two three", "  three   one "),
        ("100 % <b>", "<b>"),
    ],
)
async def test_words_are_found_whatever_their_case_width_and_order(text: str, query: str) -> None:
    assert has_words(text, split_query(query))
    assert "".join(part for part, _ in make_excerpt(text, split_query(query))) == text
    assert any(is_hit for _, is_hit in make_excerpt(text, split_query(query)))


async def test_every_word_of_the_query_has_to_occur() -> None:
    assert not has_words("one two", split_query("one three"))
    assert not has_words("one two", split_query("  "))


async def test_excerpt_marks_each_hit_and_shows_the_surroundings_of_the_first() -> None:
    assert make_excerpt("Tea, tea and\nsteam", split_query("tea te")) == [
        ("Tea", True),
        (", ", False),
        ("tea", True),
        (" and s", False),
        ("tea", True),
        ("m", False),
    ]
    before, hit, after, end = make_excerpt("word " * 400 + "tea" + " more" * 400, ("tea",))[1:]
    assert (hit, end) == (("tea", True), ("…", False))
    assert before[0].startswith("word ")
    assert after[0].startswith(" more ")
    assert len(before[0] + hit[0] + after[0]) <= EXCERPT_CHARACTERS + 10


async def test_excerpt_of_combined_characters_is_not_torn_apart() -> None:
    family = "👩‍👩‍👧"
    text = family * 200
    shown = "".join(part for part, _ in make_excerpt(text, ("tea",)))
    assert shown.removesuffix("…") == family * (len(shown) // len(family))
    assert make_excerpt("ﬁsh", ("i",)) == [("ﬁ", True), ("sh", False)]


async def test_long_query_is_cut_instead_of_searched_at_length() -> None:
    assert split_query("x" * 10_000) == ("x" * QUERY_CHARACTERS,)


async def test_search_returns_the_newest_matches_oldest_first(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, *(f"tea {n}" for n in range(5)), "coffee")
    for visitor in (ann, bob):
        assert await find(chat, room, visitor, "TEA", limit=3) == ["tea 2", "tea 3", "tea 4"]
    assert await find(chat, room, ann, "milk") == []
    assert await find(chat, room, ann, " ") == []


async def test_search_continues_before_what_it_has_examined(
    chat: Chat,
    room_and_members: tuple[Room, Visitor, Visitor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(message_search, "SEARCHED_MAX", 200)
    room, ann, _ = room_and_members
    texts = ["tea 1", *(f"line {n}" for n in range(250)), "tea 2"]
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=text) for text in texts)
    )
    search = chat.messages.search
    first = await search(room.id, visitor_id=ann.id, query="tea", limit=9)
    assert [message.text for message in first.messages] == ["tea 2"]
    assert first.searched == 200
    assert first.before == 53
    rest = await search(room.id, visitor_id=ann.id, query="tea", before=first.before, limit=9)
    assert [message.text for message in rest.messages] == ["tea 1"]
    assert (rest.searched, rest.before) == (52, None)
    some = await search(room.id, visitor_id=ann.id, query="line", limit=1)
    assert ([message.seq for message in some.messages], some.before) == ([251], 251)


async def test_only_members_search(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "tea")
    cleo = await sign_in(chat, "Cleo")
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    for visitor in (cleo, bob):
        with pytest.raises(NotAMember):
            await find(chat, room, visitor, "tea")


async def test_expired_and_deleted_messages_are_not_found(
    chat: Chat, clock: FakeClock, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "early tea")
    clock.advance(timedelta(hours=1))
    await post_messages(chat, room, ann, "late tea", "deleted tea")
    await chat.messages.delete_by_seq(room.id, visitor_id=ann.id, seq=3)
    assert await find(chat, room, bob, "tea") == ["early tea", "late tea"]
    clock.advance(room.message_ttl - timedelta(hours=1))
    assert await find(chat, room, bob, "tea") == ["late tea"]


async def test_searches_are_limited_for_each_visitor(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, searches_per_visitor="2/1m") as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await find(chat, room, ann, "tea")
        await find(chat, room, ann, "tea")
        with pytest.raises(RateLimited):
            await find(chat, room, ann, "tea")
        await find(chat, room, bob, "tea")


async def test_search_writes_nothing_readable(
    chat: Chat, tmp_path: Path, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, _ = room_and_members
    await post_messages(chat, room, ann, "a canary sings")
    assert await find(chat, room, ann, "CANARY sings") == ["a canary sings"]
    assert b"canary" not in read_all_bytes(tmp_path).lower()


async def test_search_leaves_time_for_others(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, _ = room_and_members
    text = "Straße ﬁ " * 400
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=text) for _ in range(1_000))
    )
    gaps: list[float] = []

    async def measure_gaps() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            gaps.append(time.thread_time() - began)

    gc.disable()  # a collection may take longer than the bound, whatever is running
    try:
        other = asyncio.create_task(measure_gaps())
        assert await find(chat, room, ann, "nothing of it") == []
        await asyncio.sleep(0)
        other.cancel()
    finally:
        gc.enable()
    assert max(gaps) < 0.05  # seconds of processor time
