"""Secret phrases: to which nickname one belongs, and how often others may be tried."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from anonchat import (
    Chat,
    ChatError,
    InvalidPhrase,
    LimitReached,
    NicknameTaken,
    PuzzleUnsolved,
    TooManyPhrases,
    WrongPhrase,
)
from anonchat.secret_phrase import is_old, make_old_key
from anonchat.services.identity import _PHRASES_AT_ONCE
from models import VisitorRow
from tests.core.test_puzzle import solve
from tests.fakes import FakeClock, gather_in, running_chat
from tests.pages.tab import until

pytestmark = pytest.mark.usefixtures("either_place")

PHRASE = "correct horse battery"
OLD_BADGE = "22222"
MINUTE = timedelta(minutes=1)


async def test_phrase_under_two_nicknames_links_nothing(chat: Chat) -> None:
    ann, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    bob, _ = await chat.identity.come_in("Bob", phrase=PHRASE)
    assert ann.badge and bob.badge
    assert ann.badge != bob.badge
    keys = [row.phrase_key or b"" for row in await _rows(chat)]
    assert len(set(keys)) == 2
    assert not _pieces(keys[0]) & _pieces(keys[1])


async def test_phrase_links_no_two_lives_under_different_nicknames(chat: Chat) -> None:
    first, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    await chat.identity.forget(first.id)
    second, _ = await chat.identity.come_in("Anne", phrase=PHRASE)
    assert first.badge != second.badge


@pytest.mark.parametrize("spelled", ["ann", "ANN", "\u0410nn", " Ann "])
async def test_phrase_brings_the_holder_back_however_the_nickname_is_spelled(
    chat: Chat, spelled: str
) -> None:
    ann, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    again, _ = await chat.identity.come_in(spelled, phrase=PHRASE)
    assert again == ann


async def test_old_phrase_key_still_lets_its_holder_in_and_is_replaced(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await chat.memberships.list_members(room.id, visitor_id=bob.id)  # what is read is kept
    await _give_old_key(chat, ann.id)

    with pytest.raises(WrongPhrase):
        await chat.identity.come_in("Ann", phrase="wrong horse battery")
    assert is_old(await _phrase_key(chat, ann.id))
    back, token = await chat.identity.come_in("ann", phrase=PHRASE)
    assert back.id == ann.id
    assert back.badge not in ("", OLD_BADGE)
    assert not is_old(await _phrase_key(chat, ann.id))
    assert await chat.identity.recognise(token) == back

    again, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    assert again.badge == back.badge
    with pytest.raises(WrongPhrase):
        await chat.identity.come_in("Ann", phrase="wrong horse battery")
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert {member.badge for member in members} == {"", back.badge}


async def test_other_browsers_of_a_replaced_phrase_key_show_the_new_badge(chat: Chat) -> None:
    ann, token = await chat.identity.come_in("Ann")
    await _give_old_key(chat, ann.id)
    chat.identity._known.clear()
    assert (known := await chat.identity.recognise(token)) and known.badge == OLD_BADGE
    back, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    assert (known := await chat.identity.recognise(token)) and known.badge == back.badge


async def test_wrong_phrase_costs_one_hash_whoever_holds_the_nickname(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.identity.come_in("New key", phrase=PHRASE)
    await chat.identity.come_in("No phrase")
    old, _ = await chat.identity.come_in("Old key")
    await _give_old_key(chat, old.id)
    hashed: list[str] = []
    stretch = chat.hasher.stretch

    def count(phrase: str, salt: bytes) -> bytes:
        hashed.append(phrase)
        return stretch(phrase, salt)

    monkeypatch.setattr(chat.hasher, "stretch", count)
    for number, nickname in enumerate(("New key", "No phrase", "Old key"), 1):
        with pytest.raises(WrongPhrase):
            await chat.identity.come_in(nickname, phrase="wrong horse battery")
        assert len(hashed) == number
    await chat.identity.come_in("Nobody yet", phrase="wrong horse battery")
    assert len(hashed) == 4


async def test_sixth_wrong_phrase_in_ten_minutes_is_refused_from_any_address(
    chat: Chat, clock: FakeClock
) -> None:
    ann, token = await chat.identity.come_in("Ann", phrase=PHRASE)
    for number, spelled in enumerate(("Ann", "ann", "ANN", "\u0410nn", "Ann")):
        clock.move(MINUTE)
        with pytest.raises(WrongPhrase):
            await chat.identity.come_in(
                spelled, phrase=f"wrong horse {number}", address=f"203.0.113.{number}"
            )
    clock.move(4 * MINUTE)
    for phrase in ("wrong horse again", PHRASE):
        with pytest.raises(TooManyPhrases) as caught:
            await chat.identity.come_in("Ann", phrase=phrase, address="198.51.100.1")
        assert caught.value.details == {"seconds": 120}
    assert (known := await chat.identity.recognise(token)) and known.id == ann.id
    bob, _ = await chat.identity.come_in("Bob", phrase=PHRASE)
    assert (await chat.identity.come_in("Bob", phrase=PHRASE))[0] == bob
    clock.move(2 * MINUTE)
    assert (await chat.identity.come_in("Ann", phrase=PHRASE))[0].id == ann.id


async def test_nickname_without_a_phrase_counts_tries_like_any_other(chat: Chat) -> None:
    await chat.identity.come_in("Ann")
    for _ in range(5):
        with pytest.raises(WrongPhrase):
            await chat.identity.come_in("Ann", phrase=PHRASE)
    with pytest.raises(TooManyPhrases):
        await chat.identity.come_in("Ann", phrase=PHRASE)
    with pytest.raises(NicknameTaken):
        await chat.identity.come_in("Ann")


async def test_right_phrases_count_neither_as_wrong_nor_as_new(chat: Chat) -> None:
    ann, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    for _ in range(4):
        with pytest.raises(WrongPhrase):
            await chat.identity.come_in("Ann", phrase="wrong horse battery")
    for _ in range(8):
        assert (await chat.identity.come_in("Ann", phrase=PHRASE))[0] == ann


async def test_of_many_wrong_phrases_at_once_five_are_looked_at(chat: Chat) -> None:
    await chat.identity.come_in("Ann", phrase=PHRASE)
    answers = await asyncio.gather(
        *(
            chat.identity.come_in("Ann", phrase=f"wrong horse {n}", address=f"203.0.113.{n}")
            for n in range(30)
        ),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert (kinds.count(WrongPhrase), kinds.count(TooManyPhrases)) == (5, 25)


async def test_badges_of_a_free_nickname_are_not_shown_without_end(
    chat: Chat, clock: FakeClock
) -> None:
    badges = set()
    for number in range(5):
        visitor, _ = await chat.identity.come_in("Ann", phrase=f"a guess at it {number}")
        badges.add(visitor.badge)
        await chat.identity.forget(visitor.id)
    assert len(badges) == 5
    with pytest.raises(TooManyPhrases):
        await chat.identity.come_in("Ann", phrase="a guess at it 5")
    clock.move(10 * MINUTE)
    await chat.identity.come_in("Ann", phrase="a guess at it 5")


@pytest.mark.parametrize("phrase", ["password", "12345678", "пароль123", "йцукенгш", "Night Owl 1"])
async def test_common_phrase_is_refused_when_it_is_set(chat: Chat, phrase: str) -> None:
    with pytest.raises(InvalidPhrase, match="too easy to guess"):
        await chat.identity.come_in("Night Owl", phrase=phrase)
    assert await chat.identity.is_free("Night Owl")


async def test_common_phrase_that_was_set_before_still_lets_its_holder_in(chat: Chat) -> None:
    ann, _ = await chat.identity.come_in("Ann")
    await _give_old_key(chat, ann.id, phrase="password")
    for _ in range(2):
        assert (await chat.identity.come_in("Ann", phrase="password"))[0].id == ann.id


@asynccontextmanager
async def _hashing_elsewhere(chat: Chat) -> AsyncIterator[None]:
    """Let the phrases of somebody else take long inside the block."""
    async with AsyncExitStack() as stack:
        for _ in range(_PHRASES_AT_ONCE):
            slot = chat.identity._phrase_slots.slot("somebody else", longest=60)
            await stack.enter_async_context(slot)
        yield


async def test_sixty_phrases_of_one_network_let_another_network_in_between(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    stretch = chat.hasher.stretch

    def note(phrase: str, salt: bytes) -> bytes:
        order.append(phrase)
        return stretch(phrase, salt)

    monkeypatch.setattr(chat.hasher, "stretch", note)
    async with _hashing_elsewhere(chat):
        crowd = [
            asyncio.create_task(
                chat.identity.come_in(f"Puppet {n}", phrase=PHRASE, address=f"2001:db8:0:{n:x}::1")
            )
            for n in range(60)
        ]
        waiting = chat.identity._phrase_slots._groups
        await until(lambda: sum(map(len, waiting.values())) == 60)
        bob = asyncio.create_task(
            chat.identity.come_in("Bob", phrase="of another house", address="203.0.113.7")
        )
        await until(lambda: len(waiting) == 2)
    await bob
    assert order.index("of another house") <= _PHRASES_AT_ONCE
    await asyncio.gather(*crowd)


async def test_sign_in_without_a_phrase_waits_for_no_phrase(chat: Chat) -> None:
    async with _hashing_elsewhere(chat):
        await chat.identity.come_in("Ann")
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in("Ann")


async def test_too_many_phrases_that_wait_are_refused_by_network(chat: Chat) -> None:
    async with _hashing_elsewhere(chat):
        crowd = [
            asyncio.create_task(
                chat.identity.come_in(f"Puppet {n}", phrase=PHRASE, address="203.0.113.1")
            )
            for n in range(65)
        ]
        done, _ = await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        assert [type(task.exception()) for task in done] == [LimitReached]
        for each in crowd:
            each.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


async def test_no_address_is_kept_of_those_who_wait_with_a_phrase(chat: Chat) -> None:
    async with _hashing_elsewhere(chat):
        task = asyncio.create_task(
            chat.identity.come_in("Ann", phrase=PHRASE, address="203.0.113.1")
        )
        waiting = chat.identity._phrase_slots._groups
        await until(lambda: bool(waiting))
        assert "203.0.113" not in repr(waiting)
    await task


@pytest.mark.parametrize(
    ("nickname", "phrase", "error", "is_used_up"),
    [
        ("Ann", "", NicknameTaken, False),
        ("", "", ChatError, False),
        ("Bob", "short", InvalidPhrase, False),
        ("Bob", "password", InvalidPhrase, False),
        ("Ann", "wrong horse battery", WrongPhrase, True),
        ("No phrase", "wrong horse battery", WrongPhrase, True),
        ("Old key", "wrong horse battery", WrongPhrase, True),
    ],
)
async def test_wrong_phrase_uses_up_its_proof_of_work(
    chat: Chat, nickname: str, phrase: str, error: type[ChatError], is_used_up: bool
) -> None:
    await chat.identity.come_in("Ann", phrase=PHRASE)
    await chat.identity.come_in("No phrase")
    old, _ = await chat.identity.come_in("Old key")
    await _give_old_key(chat, old.id)
    chat.puzzle.bits = 6
    solution = solve(chat.puzzle.pose(), bits=6)
    with pytest.raises(error):
        await chat.identity.come_in(nickname, phrase=phrase, solution=solution)
    if is_used_up:
        with pytest.raises(PuzzleUnsolved):
            await chat.identity.come_in("Cleo", solution=solution)
    else:
        await chat.identity.come_in("Cleo", solution=solution)


async def test_phrase_that_was_hashed_for_a_full_site_uses_up_its_proof_of_work(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, puzzle_bits=6, visitors_max=1) as chat:
        await chat.identity.come_in("Ann", solution=solve(chat.puzzle.pose(), bits=6))
        solution = solve(chat.puzzle.pose(), bits=6)
        with pytest.raises(LimitReached):
            await chat.identity.come_in("Bob", phrase=PHRASE, solution=solution)
        with pytest.raises(PuzzleUnsolved):
            await chat.identity.come_in("Bob", phrase=PHRASE, solution=solution)


async def _give_old_key(chat: Chat, visitor_id: str, *, phrase: str = PHRASE) -> None:
    """Store a visitor's phrase as earlier versions did, with a badge of then."""
    async with chat._database.transaction() as session:
        row = await session.get(VisitorRow, visitor_id)
        assert row
        visitor = chat.identity._vault.open_visitor(row)
        assert visitor
        row.phrase_key = make_old_key(chat.hasher, phrase)
        row.sealed = await chat.identity._vault.seal_visitor(
            visitor_id, nickname=visitor.nickname, badge=OLD_BADGE
        )


async def _rows(chat: Chat) -> list[VisitorRow]:
    async with chat._database.reading() as session:
        return list((await session.exec(select(VisitorRow))).all())


async def _phrase_key(chat: Chat, visitor_id: str) -> bytes:
    (key,) = [row.phrase_key for row in await _rows(chat) if row.id == visitor_id]
    assert key
    return key


def _pieces(key: bytes) -> set[bytes]:
    return {key[at : at + 4] for at in range(len(key) - 3)}
