"""Whatever somebody writes, up to all that a request can hold, it does not hold up the others."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from anonchat import Chat, ChatError
from anonchat.lookalikes import check_listed_name, check_new_nickname, skeletons
from anonchat.text import (
    fold,
    make_slug,
    tidy_message,
    tidy_nickname,
    tidy_room_name,
    tidy_topic,
)
from pages.live.feeds import draw_each
from pages.rows import card_row, facts_row, member_row, message_row, rail_row
from tests.effort import MOST, effort, longest_step
from tests.fakes import gather_in
from tests.nasty import GOOD_EMOJI, NASTY
from tests.pages.test_rows import ENGLISH, GLANCE, MEMBER, MESSAGE, ROOM

ALL = 65_536
SIZES = (240, 600, 2_600, 4_000, 12_000, ALL)

# What is repeated until there is as much of it as one wants.
PIECES = {
    **{name: text for name, text in {**NASTY, **GOOD_EMOJI}.items() if text},
    "letters": "a",
    "spaces": " ",
    "lines": "\n",
    "jamo": "\u1100",
    "flags": "\U0001f1ef",
    "joined": "\U0001f469\u200d",
    "marks": "\u0301",
    "marks out of order": "a\u0301\u0323",
    "marks apart": "\u0301\u200d",
    "marks beside": "\u093e",
    "marks of a script": "\u0e01\u0e31\u0e34\u0e35\u0e36\u0e37\u0e47\u0e48\u0e4d\u0e38\u0e39",
    "viramas": "\u1b44\u0ddc",
    "long when composed": "\ufdfa",
    "long when parted": "\u0390",
    "never composed": "\u0958",
    "syllables": "\uac01",
    "selectors": "\ufe0f",
    "look-alikes": "aA1lI\u0410",
    "protocols": "https://",
    "addresses": "http://a ",
    "one address": "http://a.example/",
    "brackets": "(",
    "closing brackets": ")",
    "brackets from right to left": "\u05d0(",
    "right to left": "\u05d0\u0627 a1",
    "brackets of two kinds": ")]",
    "full stops": ".",
    "full stops within": "." * 3_900 + "x",
    "apostrophes": "'",
    "ideographic addresses": "（http://a）",
    "entities": "<&\"'>",
    "slashes": "../",
}


def _nickname(text: str) -> None:
    name = tidy_nickname(text)
    skeletons(name)
    with suppress(ChatError):
        check_new_nickname(name)
    message_row(replace(MESSAGE, nickname=name))
    member_row(replace(MEMBER, nickname=name), present=True, language=ENGLISH)


def _room(text: str) -> None:
    name = tidy_room_name(text)
    fold(name)
    skeletons(name)
    with suppress(ChatError):
        check_listed_name(name)
    make_slug(name)
    glance = replace(GLANCE, room=replace(ROOM, name=name, topic=tidy_topic(text)))
    rail_row(glance, language=ENGLISH)
    card_row(glance, order=0, language=ENGLISH)
    facts_row(glance, language=ENGLISH)


def _topic(text: str) -> None:
    glance = replace(GLANCE, room=replace(ROOM, topic=tidy_topic(text)))
    card_row(glance, order=0, language=ENGLISH)


def _message(text: str) -> None:
    message_row(replace(MESSAGE, text=tidy_message(text)))


acts = pytest.mark.parametrize(
    "act", [_nickname, _room, _topic, _message], ids=lambda act: act.__name__
)


@acts
@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
@pytest.mark.parametrize("before", ["", "http://a.example/"], ids=["", "in an address"])
def test_a_text_of_any_size_is_tidied_and_drawn_in_no_time(
    act: Callable[[str], None], piece: str, before: str
) -> None:
    for size in SIZES:
        assert effort(partial(_try, act, _fill(piece, size, before))) < MOST, size


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_twice_the_text_is_not_four_times_the_work(piece: str) -> None:
    def work(size: int) -> float:
        text = _fill(piece, size, "http://a.example/")
        return min(effort(partial(_try, _message, text)) for _ in range(3))

    def grows_slowly() -> bool:
        whole = work(3_800)
        return whole < MOST / 10 or whole < 3 * work(1_900)

    assert any(grows_slowly() for _ in range(5)), "others may have disturbed one measurement"


@acts
@settings(max_examples=30)
@given(
    pieces=some.lists(some.sampled_from([*PIECES.values()]) | some.text(max_size=30), max_size=6),
    size=some.sampled_from(SIZES),
)
def test_so_is_whatever_is_put_together(
    act: Callable[[str], None], pieces: list[str], size: int
) -> None:
    assert effort(partial(_try, act, _fill("".join(pieces) or "x", size))) < MOST


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
async def test_no_service_is_held_up(chat: Chat, piece: str) -> None:
    room, (ann, _) = await gather_in(chat, "room", "Ann", "Ben")
    for size in (240, 4_000, ALL):
        text = _fill(piece, size)

        async def try_all(text: str = text) -> None:
            for attempt in (
                chat.identity.come_in(text),
                chat.identity.come_in("Mira", phrase=text),
                chat.identity.is_free(text),
                chat.identity.recognise(text),
                chat.rooms.open(text, visitor_id=ann.id),
                chat.rooms.create("name", visitor_id=ann.id, topic=text),
                chat.rooms.find(text),
                chat.lobby.find(text),
                chat.lobby.search(text, limit=5),
                chat.rooms.find_named(text),
                chat.messages.post(room.id, visitor_id=ann.id, text=text),
                chat.messages.post(room.id, visitor_id=ann.id, text="x", dedup_id=text),
                chat.messages.delete(room.id, visitor_id=ann.id, message_id=text),
            ):
                with suppress(ChatError):
                    await attempt
            _try(partial(chat.puzzle._take, bits=18), text)

        assert await longest_step(try_all) < MOST, size


async def test_history_of_long_messages_is_read_without_holding_anybody_up(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    text = "see https://a.example/ (and more) " * 110
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=text) for _ in range(200))
    )
    await chat.messages.finish()
    chat.messages._pages.clear()

    async def read_and_draw() -> None:
        said = await chat.messages.history(room.id, visitor_id=ann.id, after=0, limit=200)
        assert len(await draw_each(said, message_row)) == 200

    assert await longest_step(read_and_draw) < MOST


async def test_search_among_many_rooms_holds_nobody_up(chat: Chat) -> None:
    room, (_,) = await gather_in(chat, "room", "Ann")
    for number in range(20_000):
        chat.lobby._rooms[str(number)] = room
        chat.lobby._names[str(number)] = f"room number {number}"
    assert await longest_step(lambda: chat.lobby.search("room", limit=8)) < MOST
    found = await chat.lobby.search("number 12345", limit=8)
    assert len(found) == 1


def _try(act: Callable[[str], object], text: str) -> None:
    with suppress(ChatError):
        act(text)


def _fill(piece: str, size: int, before: str = "") -> str:
    """Return a text of that many characters, which are all a request holds at most."""
    return (before + piece * (size // len(piece) + 1))[:size]
