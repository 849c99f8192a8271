"""Processing a text of any size up to the largest request does not block the event loop."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonchat import Chat, ChatError, Post
from anonchat.text.lookalikes import check_new_nickname, check_new_room_name, skeletons
from anonchat.text.normalization import (
    fold_case,
    make_slug,
    normalize_message,
    normalize_nickname,
    normalize_room_name,
    normalize_topic,
)
from pages.feeds.broadcaster import draw_each
from pages.rows import card_row, facts_row, member_row, message_row, sidebar_row
from tests.effort import MOST, effort, longest_step
from tests.fakes import create_room_with_members
from tests.hostile_texts import HOSTILE_TEXTS, VALID_EMOJI
from tests.pages.test_rows import ENGLISH, MEMBER, MESSAGE, ROOM, ROOM_SUMMARY

pytestmark = pytest.mark.slow

REQUEST_MAX = 65_536
SIZES = (240, 600, 2_600, 4_000, 12_000, REQUEST_MAX)

# Each piece is repeated until the text has the wanted size.
PIECES = {
    **{name: text for name, text in {**HOSTILE_TEXTS, **VALID_EMOJI}.items() if text},
    "letters": "a",
    "spaces": " ",
    "lines": "\n",
    "jamo": "\u1100",
    "flags": "\U0001f1ef",
    "zero width joiners": "\U0001f469\u200d",
    "marks": "\u0301",
    "marks out of order": "a\u0301\u0323",
    "separated marks": "\u0301\u200d",
    "spacing marks": "\u093e",
    "marks of one script": "\u0e01\u0e31\u0e34\u0e35\u0e36\u0e37\u0e47\u0e48\u0e4d\u0e38\u0e39",
    "viramas": "\u1b44\u0ddc",
    "long in NFKC": "\ufdfa",
    "long in NFD": "\u0390",
    "composition exclusions": "\u0958",
    "hangul syllables": "\uac01",
    "variation selectors": "\ufe0f",
    "look-alikes": "aA1lI\u0410",
    "url schemes": "https://",
    "urls": "http://a ",
    "one url": "http://a.example/",
    "brackets": "(",
    "closing brackets": ")",
    "right-to-left brackets": "\u05d0(",
    "right-to-left text": "\u05d0\u0627 a1",
    "brackets of two kinds": ")]",
    "full stops": ".",
    "full stops within": "." * 3_900 + "x",
    "apostrophes": "'",
    "urls in full-width brackets": "（http://a）",
    "entities": "<&\"'>",
    "slashes": "../",
}


def _nickname(text: str) -> None:
    name = normalize_nickname(text)
    skeletons(name)
    with suppress(ChatError):
        check_new_nickname(name)
    message_row(replace(MESSAGE, nickname=name))
    member_row(replace(MEMBER, nickname=name), present=True, language=ENGLISH)


def _room(text: str) -> None:
    name = normalize_room_name(text)
    fold_case(name)
    skeletons(name)
    with suppress(ChatError):
        check_new_room_name(name)
    make_slug(name)
    summary = replace(ROOM_SUMMARY, room=replace(ROOM, name=name, topic=normalize_topic(text)))
    sidebar_row(summary, language=ENGLISH)
    card_row(summary, order=0, language=ENGLISH)
    facts_row(summary, language=ENGLISH)


def _topic(text: str) -> None:
    summary = replace(ROOM_SUMMARY, room=replace(ROOM, topic=normalize_topic(text)))
    card_row(summary, order=0, language=ENGLISH)


def _message(text: str) -> None:
    message_row(replace(MESSAGE, text=normalize_message(text)))


each_process = pytest.mark.parametrize(
    "process", [_nickname, _room, _topic, _message], ids=lambda process: process.__name__
)


@each_process
@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
@pytest.mark.parametrize("before", ["", "http://a.example/"], ids=["", "in a url"])
def test_text_of_any_size_is_normalized_and_rendered_quickly(
    process: Callable[[str], None], piece: str, before: str
) -> None:
    for size in SIZES:
        assert effort(partial(_call, process, _fill(piece, size, before))) < MOST, size


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_processing_time_does_not_grow_quadratically_with_the_text(piece: str) -> None:
    def work(size: int) -> float:
        text = _fill(piece, size, "http://a.example/")
        act = partial(_call, _message, text)
        return min(effort(act, enough=MOST / 4) for _ in range(3))

    def grows_slowly() -> bool:
        whole = work(3_800)
        return whole < MOST / 10 or whole < 3 * work(1_900)

    assert any(grows_slowly() for _ in range(5)), "other processes may disturb single measurements"


@each_process
@settings(max_examples=30)
@given(
    pieces=st.lists(st.sampled_from([*PIECES.values()]) | st.text(max_size=30), max_size=6),
    size=st.sampled_from(SIZES),
)
def test_combined_text_is_normalized_and_rendered_quickly(
    process: Callable[[str], None], pieces: list[str], size: int
) -> None:
    assert effort(partial(_call, process, _fill("".join(pieces) or "x", size))) < MOST


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
async def test_text_of_any_size_does_not_block_any_service(chat: Chat, piece: str) -> None:
    room, (ann, _) = await create_room_with_members(chat, "room", "Ann", "Ben")
    for size in (240, 4_000, REQUEST_MAX):
        text = _fill(piece, size)

        async def call_services(text: str = text) -> None:
            for call in (
                chat.identity.sign_in(text),
                chat.identity.sign_in("Mira", phrase=text),
                chat.identity.is_nickname_available(text),
                chat.identity.authenticate(text),
                chat.rooms.open(text, visitor_id=ann.id),
                chat.rooms.create("name", visitor_id=ann.id, topic=text),
                chat.rooms.find(text),
                chat.room_directory.find(text),
                chat.room_directory.search(text, limit=5),
                chat.rooms.find_by_name(text),
                chat.messages.post(room.id, visitor_id=ann.id, text=text),
                chat.messages.post(room.id, visitor_id=ann.id, text="x", dedup_id=text),
                chat.messages.post(room.id, visitor_id=ann.id, post=Post(kind="x", data=text)),
                chat.messages.post(room.id, visitor_id=ann.id, post=Post("x", nickname=text)),
                chat.messages.post(room.id, visitor_id=ann.id, post=Post("x", reply_to=text)),
                chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text=text),
                chat.messages.react_by_seq(room.id, visitor_id=ann.id, seq=1, emoji=text, on=True),
                chat.messages.delete(room.id, visitor_id=ann.id, message_id=text),
            ):
                with suppress(ChatError):
                    await call
            _call(partial(chat.proof_of_work._redeem, bits=18), text)

        assert await longest_step(call_services) < MOST, size


async def test_history_of_long_messages_does_not_block_the_event_loop(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    text = "see https://a.example/ (and more) " * 110
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=text) for _ in range(200))
    )
    await chat.messages.flush()
    chat.messages._history._pages.clear()

    async def read_and_render() -> None:
        messages = await chat.messages.history(room.id, visitor_id=ann.id, after=0, limit=200)
        assert len(await draw_each(messages, message_row)) == 200

    assert await longest_step(read_and_render) < MOST


async def test_search_among_many_rooms_does_not_block_the_event_loop(chat: Chat) -> None:
    room, (_,) = await create_room_with_members(chat, "room", "Ann")
    for number in range(20_000):
        chat.room_directory._rooms[str(number)] = room
        chat.room_directory._names[str(number)] = f"room number {number}"
    assert await longest_step(lambda: chat.room_directory.search("room", limit=8)) < MOST
    found = await chat.room_directory.search("number 12345", limit=8)
    assert len(found) == 1


def _call(process: Callable[[str], object], text: str) -> None:
    with suppress(ChatError):
        process(text)


def _fill(piece: str, size: int, before: str = "") -> str:
    """Return `before` and repetitions of the piece, cut to this number of characters."""
    return (before + piece * (size // len(piece) + 1))[:size]
