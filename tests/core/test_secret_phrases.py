"""Secret phrases: sign-in, badges, and the limits on wrong and waiting phrases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from anonchat import (
    ChallengeUnsolved,
    Chat,
    ChatError,
    InvalidPhrase,
    LimitReached,
    NicknameTaken,
    PresenceChanged,
    TooManyPhrases,
    UnknownVisitor,
    Visitor,
    WrongPhrase,
)
from anonchat.limits.phrase_verifier import PHRASE_THREADS
from anonchat.security.secret_phrase import is_legacy_key, make_legacy_key
from models import VisitorRow
from tests.core.test_proof_of_work import solve
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    running_chat,
)
from tests.pages.tab import wait_until

pytestmark = pytest.mark.usefixtures("either_place")

PHRASE = "correct horse battery"
OLD_BADGE = "22222"
MINUTE = timedelta(minutes=1)


async def test_phrase_used_with_two_nicknames_does_not_link_them(chat: Chat) -> None:
    ann, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    bob, _ = await chat.identity.sign_in("Bob", phrase=PHRASE)
    assert ann.badge and bob.badge
    assert ann.badge != bob.badge
    keys = [row.phrase_key or b"" for row in await _rows(chat)]
    assert len(set(keys)) == 2
    assert not _substrings(keys[0]) & _substrings(keys[1])


async def test_phrase_reused_after_forget_does_not_link_two_nicknames(chat: Chat) -> None:
    first, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    await chat.identity.forget(first.id)
    second, _ = await chat.identity.sign_in("Anne", phrase=PHRASE)
    assert first.badge != second.badge


@pytest.mark.parametrize("spelled", ["ann", "ANN", "\u0410nn", " Ann "])
async def test_phrase_signs_in_with_any_spelling_of_the_nickname(chat: Chat, spelled: str) -> None:
    ann, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    again, _ = await chat.identity.sign_in(spelled, phrase=PHRASE)
    assert again == ann


async def test_old_phrase_key_is_accepted_and_replaced(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await chat.memberships.list_members(room.id, visitor_id=bob.id)  # fills the cache
    await _store_old_phrase_key(chat, ann.id)

    with pytest.raises(WrongPhrase):
        await chat.identity.sign_in("Ann", phrase="wrong horse battery")
    assert is_legacy_key(await _phrase_key(chat, ann.id))
    back, token = await chat.identity.sign_in("ann", phrase=PHRASE)
    assert back.id == ann.id
    assert back.badge not in ("", OLD_BADGE)
    assert not is_legacy_key(await _phrase_key(chat, ann.id))
    assert await chat.identity.authenticate(token) == back

    again, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    assert again.badge == back.badge
    with pytest.raises(WrongPhrase):
        await chat.identity.sign_in("Ann", phrase="wrong horse battery")
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert {member.badge for member in members} == {"", back.badge}


async def test_other_sessions_show_the_new_badge_after_the_phrase_key_is_replaced(
    chat: Chat,
) -> None:
    ann, token = await chat.identity.sign_in("Ann")
    await _store_old_phrase_key(chat, ann.id)
    chat.identity._token_cache.clear()
    assert (known := await chat.identity.authenticate(token)) and known.badge == OLD_BADGE
    back, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    assert (known := await chat.identity.authenticate(token)) and known.badge == back.badge


async def test_wrong_phrase_costs_one_hash_for_any_nickname(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.identity.sign_in("New key", phrase=PHRASE)
    await chat.identity.sign_in("No phrase")
    old, _ = await chat.identity.sign_in("Old key")
    await _store_old_phrase_key(chat, old.id)
    hashed: list[str] = []
    hash_phrase = chat.hasher.hash_phrase

    def count(phrase: str, salt: bytes) -> bytes:
        hashed.append(phrase)
        return hash_phrase(phrase, salt)

    monkeypatch.setattr(chat.hasher, "hash_phrase", count)
    for number, nickname in enumerate(("New key", "No phrase", "Old key"), 1):
        with pytest.raises(WrongPhrase):
            await chat.identity.sign_in(nickname, phrase="wrong horse battery")
        assert len(hashed) == number
    await chat.identity.sign_in("Nobody yet", phrase="wrong horse battery")
    assert len(hashed) == 4


async def test_sixth_wrong_phrase_in_ten_minutes_is_refused_from_any_address(
    chat: Chat, clock: FakeClock
) -> None:
    ann, token = await chat.identity.sign_in("Ann", phrase=PHRASE)
    for number, spelled in enumerate(("Ann", "ann", "ANN", "\u0410nn", "Ann")):
        clock.advance(MINUTE)
        with pytest.raises(WrongPhrase):
            await chat.identity.sign_in(
                spelled, phrase=f"wrong horse {number}", address=f"203.0.113.{number}"
            )
    clock.advance(4 * MINUTE)
    for phrase in ("wrong horse again", PHRASE):
        with pytest.raises(TooManyPhrases) as caught:
            await chat.identity.sign_in("Ann", phrase=phrase, address="198.51.100.1")
        assert caught.value.details == {"seconds": 120}
    assert (known := await chat.identity.authenticate(token)) and known.id == ann.id
    bob, _ = await chat.identity.sign_in("Bob", phrase=PHRASE)
    assert (await chat.identity.sign_in("Bob", phrase=PHRASE))[0] == bob
    clock.advance(2 * MINUTE)
    assert (await chat.identity.sign_in("Ann", phrase=PHRASE))[0].id == ann.id


async def test_wrong_phrases_are_limited_for_a_nickname_without_a_phrase(chat: Chat) -> None:
    await chat.identity.sign_in("Ann")
    for _ in range(5):
        with pytest.raises(WrongPhrase):
            await chat.identity.sign_in("Ann", phrase=PHRASE)
    with pytest.raises(TooManyPhrases):
        await chat.identity.sign_in("Ann", phrase=PHRASE)
    with pytest.raises(NicknameTaken):
        await chat.identity.sign_in("Ann")


async def test_correct_phrases_do_not_use_up_the_limit(chat: Chat) -> None:
    ann, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    for _ in range(4):
        with pytest.raises(WrongPhrase):
            await chat.identity.sign_in("Ann", phrase="wrong horse battery")
    for _ in range(8):
        assert (await chat.identity.sign_in("Ann", phrase=PHRASE))[0] == ann


async def test_of_many_concurrent_wrong_phrases_5_are_checked(chat: Chat) -> None:
    await chat.identity.sign_in("Ann", phrase=PHRASE)
    answers = await asyncio.gather(
        *(
            chat.identity.sign_in("Ann", phrase=f"wrong horse {n}", address=f"203.0.113.{n}")
            for n in range(30)
        ),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert (kinds.count(WrongPhrase), kinds.count(TooManyPhrases)) == (5, 25)


async def test_badges_of_a_free_nickname_are_limited(chat: Chat, clock: FakeClock) -> None:
    badges = set()
    for number in range(5):
        visitor, _ = await chat.identity.sign_in("Ann", phrase=f"a guess at it {number}")
        badges.add(visitor.badge)
        await chat.identity.forget(visitor.id)
    assert len(badges) == 5
    with pytest.raises(TooManyPhrases):
        await chat.identity.sign_in("Ann", phrase="a guess at it 5")
    clock.advance(10 * MINUTE)
    await chat.identity.sign_in("Ann", phrase="a guess at it 5")


@pytest.mark.parametrize("phrase", ["password", "12345678", "пароль123", "йцукенгш", "Night Owl 1"])
async def test_common_phrase_is_refused_when_it_is_set(chat: Chat, phrase: str) -> None:
    with pytest.raises(InvalidPhrase, match="too easy to guess"):
        await chat.identity.sign_in("Night Owl", phrase=phrase)
    assert await chat.identity.is_nickname_available("Night Owl")


async def test_common_phrase_that_is_already_stored_is_accepted(chat: Chat) -> None:
    ann, _ = await chat.identity.sign_in("Ann")
    await _store_old_phrase_key(chat, ann.id, phrase="password")
    for _ in range(2):
        assert (await chat.identity.sign_in("Ann", phrase="password"))[0].id == ann.id


@asynccontextmanager
async def _occupied_phrase_slots(chat: Chat) -> AsyncIterator[None]:
    """Occupy all slots for phrase hashing inside the block."""
    async with AsyncExitStack() as stack:
        for _ in range(PHRASE_THREADS):
            slot = chat.identity._phrases._slots.slot("somebody else", timeout_seconds=60)
            await stack.enter_async_context(slot)
        yield


async def test_60_waiting_phrases_of_one_network_do_not_block_another_network(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    hash_phrase = chat.hasher.hash_phrase

    def record(phrase: str, salt: bytes) -> bytes:
        order.append(phrase)
        return hash_phrase(phrase, salt)

    monkeypatch.setattr(chat.hasher, "hash_phrase", record)
    async with _occupied_phrase_slots(chat):
        tasks = [
            asyncio.create_task(
                chat.identity.sign_in(f"Puppet {n}", phrase=PHRASE, address=f"2001:db8:0:{n:x}::1")
            )
            for n in range(60)
        ]
        waiting = chat.identity._phrases._slots._groups
        await wait_until(lambda: sum(map(len, waiting.values())) == 60)
        bob = asyncio.create_task(
            chat.identity.sign_in("Bob", phrase="of another network", address="203.0.113.7")
        )
        await wait_until(lambda: len(waiting) == 2)
    await bob
    assert order.index("of another network") <= PHRASE_THREADS
    await asyncio.gather(*tasks)


async def test_sign_in_without_a_phrase_does_not_wait_for_phrase_hashing(chat: Chat) -> None:
    async with _occupied_phrase_slots(chat):
        await chat.identity.sign_in("Ann")
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in("Ann")


async def test_waiting_phrases_of_a_network_are_bounded(chat: Chat) -> None:
    async with _occupied_phrase_slots(chat):
        tasks = [
            asyncio.create_task(
                chat.identity.sign_in(f"Puppet {n}", phrase=PHRASE, address="203.0.113.1")
            )
            for n in range(65)
        ]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert [type(task.exception()) for task in done] == [LimitReached]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_phrases_keep_no_client_address(chat: Chat) -> None:
    async with _occupied_phrase_slots(chat):
        task = asyncio.create_task(
            chat.identity.sign_in("Ann", phrase=PHRASE, address="203.0.113.1")
        )
        waiting = chat.identity._phrases._slots._groups
        await wait_until(lambda: bool(waiting))
        assert "203.0.113" not in repr(waiting)
    await task


@pytest.mark.parametrize(
    ("nickname", "phrase", "error", "is_consumed"),
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
    chat: Chat, nickname: str, phrase: str, error: type[ChatError], is_consumed: bool
) -> None:
    await chat.identity.sign_in("Ann", phrase=PHRASE)
    await chat.identity.sign_in("No phrase")
    old, _ = await chat.identity.sign_in("Old key")
    await _store_old_phrase_key(chat, old.id)
    chat.proof_of_work.bits = 6
    solution = solve(chat.proof_of_work.new_challenge(), bits=6)
    with pytest.raises(error):
        await chat.identity.sign_in(nickname, phrase=phrase, solution=solution)
    if is_consumed:
        with pytest.raises(ChallengeUnsolved):
            await chat.identity.sign_in("Cleo", solution=solution)
    else:
        await chat.identity.sign_in("Cleo", solution=solution)


async def test_phrase_hashed_on_a_full_site_uses_up_its_proof_of_work(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, pow_bits=6, visitors_max=1) as chat:
        await chat.identity.sign_in(
            "Ann", solution=solve(chat.proof_of_work.new_challenge(), bits=6)
        )
        solution = solve(chat.proof_of_work.new_challenge(), bits=6)
        with pytest.raises(LimitReached):
            await chat.identity.sign_in("Bob", phrase=PHRASE, solution=solution)
        with pytest.raises(ChallengeUnsolved):
            await chat.identity.sign_in("Bob", phrase=PHRASE, solution=solution)


async def _store_old_phrase_key(chat: Chat, visitor_id: str, *, phrase: str = PHRASE) -> None:
    """Store a visitor's phrase key and badge as earlier versions did."""
    async with chat._database.transaction() as session:
        row = await session.get(VisitorRow, visitor_id)
        assert row
        visitor = chat.identity._cipher.decrypt_visitor(row)
        assert visitor
        row.phrase_key = make_legacy_key(chat.hasher, phrase)
        row.sealed = await chat.identity._cipher.encrypt_visitor(
            visitor_id, nickname=visitor.nickname, badge=OLD_BADGE
        )


async def _rows(chat: Chat) -> list[VisitorRow]:
    async with chat._database.read_session() as session:
        return list((await session.exec(select(VisitorRow))).all())


async def _phrase_key(chat: Chat, visitor_id: str) -> bytes:
    (key,) = [row.phrase_key for row in await _rows(chat) if row.id == visitor_id]
    assert key
    return key


def _substrings(key: bytes) -> set[bytes]:
    return {key[at : at + 4] for at in range(len(key) - 3)}


async def test_phrase_added_later_restores_the_visitor_in_another_browser(chat: Chat) -> None:
    ann, token = await chat.identity.sign_in("Ann")
    with_phrase = await chat.identity.add_phrase(ann.id, PHRASE)
    assert (with_phrase.id, with_phrase.nickname) == (ann.id, "Ann")
    assert with_phrase.badge
    assert (await chat.identity.sign_in("ann", phrase=PHRASE))[0].id == ann.id
    assert (known := await chat.identity.authenticate(token)) and known.badge == with_phrase.badge
    with pytest.raises(WrongPhrase):
        await chat.identity.sign_in("Ann", phrase="wrong horse battery")


async def test_phrase_added_later_gives_the_badge_of_nickname_and_phrase(chat: Chat) -> None:
    first, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    await chat.identity.forget(first.id)
    second, _ = await chat.identity.sign_in("Ann")
    assert (await chat.identity.add_phrase(second.id, PHRASE)).badge == first.badge
    bob, _ = await chat.identity.sign_in("Bob")
    assert (await chat.identity.add_phrase(bob.id, PHRASE)).badge != first.badge


async def test_phrase_added_later_marks_the_member_and_messages_from_then_on(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await chat.memberships.list_members(room.id, visitor_id=bob.id)  # fills the cache
    await post_messages(chat, room, ann, "before")
    badge = (await chat.identity.add_phrase(ann.id, PHRASE)).badge
    await post_messages(chat, room, ann, "after")
    history = await chat.messages.history(room.id, visitor_id=bob.id, limit=10)
    assert [(each.text, each.badge) for each in history] == [("before", ""), ("after", badge)]
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert {(each.nickname, each.badge) for each in members} == {("Ann", badge), ("Bob", "")}


async def test_member_who_adds_a_phrase_leaves_with_the_badge(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    recorder = EventRecorder(chat)
    await chat.presence.enter(member, page_id="first")
    badge = (await chat.identity.add_phrase(ann.id, PHRASE)).badge
    await chat.presence.leave(member, page_id="first")
    changes = [(each.present, each.member.badge) for each in recorder.of_type(PresenceChanged)]
    assert changes == [(True, ""), (False, badge)]


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("", "8 to 200 characters"),
        (" " * 9, "8 to 200 characters"),
        ("short", "8 to 200 characters"),
        ("x" * 201, "8 to 200 characters"),
        ("password123", "too easy to guess"),
        ("Ann Miller Ann Miller", "too easy to guess"),
    ],
)
async def test_phrase_added_later_follows_the_rules_of_signing_in(
    chat: Chat, phrase: str, reason: str
) -> None:
    ann, token = await chat.identity.sign_in("Ann Miller")
    with pytest.raises(InvalidPhrase, match=reason):
        await chat.identity.add_phrase(ann.id, phrase)
    assert (known := await chat.identity.authenticate(token)) and known.badge == ""


async def test_phrase_cannot_be_replaced(chat: Chat) -> None:
    ann, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    with pytest.raises(InvalidPhrase, match="already"):
        await chat.identity.add_phrase(ann.id, "another horse battery")
    assert (await chat.identity.sign_in("Ann", phrase=PHRASE))[0] == ann


async def test_one_of_two_phrases_added_at_once_is_kept(chat: Chat) -> None:
    ann, token = await chat.identity.sign_in("Ann")
    phrases = [f"{PHRASE} {number}" for number in range(2)]
    results = await asyncio.gather(
        *(chat.identity.add_phrase(ann.id, phrase) for phrase in phrases), return_exceptions=True
    )
    added = [each for each in results if isinstance(each, Visitor)]
    refused = [each for each in results if isinstance(each, InvalidPhrase)]
    assert (len(added), len(refused)) == (1, 1)
    assert (known := await chat.identity.authenticate(token)) and known.badge == added[0].badge
    kept = phrases[results.index(added[0])]
    assert (await chat.identity.sign_in("Ann", phrase=kept))[0].badge == added[0].badge


async def test_phrase_of_an_unknown_visitor_is_refused(chat: Chat) -> None:
    ann, _ = await chat.identity.sign_in("Ann")
    await chat.identity.forget(ann.id)
    with pytest.raises(UnknownVisitor):
        await chat.identity.add_phrase(ann.id, PHRASE)
    with pytest.raises(UnknownVisitor):
        await chat.identity.get(ann.id)


async def test_added_phrases_are_limited_with_those_of_new_nicknames(chat: Chat) -> None:
    for number in range(5):
        ann, _ = await chat.identity.sign_in("Ann")
        await chat.identity.add_phrase(ann.id, f"{PHRASE} {number}")
        await chat.identity.forget(ann.id)
    ann, _ = await chat.identity.sign_in("Ann")
    with pytest.raises(TooManyPhrases):
        await chat.identity.add_phrase(ann.id, PHRASE)
