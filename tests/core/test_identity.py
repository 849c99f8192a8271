"""Coming in, being recognised, and being forgotten."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from anonchat import (
    Chat,
    InvalidNickname,
    InvalidPhrase,
    LimitReached,
    MemberLeft,
    MessagesGone,
    NicknameTaken,
    TokenRevoked,
    Visitor,
    VisitorForgotten,
)
from models import VisitorRow
from tests.fakes import (
    Ear,
    FakeClock,
    bytes_in,
    come_in,
    crash,
    gather_in,
    make_settings,
    read,
    running_chat,
    say,
)

pytestmark = pytest.mark.usefixtures("either_place")

PHRASE = "correct horse battery"
DAY = timedelta(days=1)


async def test_whoever_comes_in_is_recognised_by_their_token(chat: Chat) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    assert visitor.nickname == "Ann"
    assert await _recognised_as(chat, token) == visitor.id


async def test_no_other_token_is_recognised(chat: Chat) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    for other in ("", visitor.id, token[:-1], token + "A", token.swapcase(), "\ud800", "ü"):
        assert await chat.identity.recognise(other) is None


@pytest.mark.single("tests/cluster looks for tokens in what PostgreSQL has written")
async def test_only_a_hash_of_the_token_is_stored(chat: Chat, tmp_path: Path) -> None:
    _, token = await chat.identity.come_in("Ann")
    stored = bytes_in(tmp_path)
    assert len(stored) > 10_000, "the database has to be there for this test to mean anything"
    assert token.encode() not in stored


async def test_tokens_are_long_and_never_the_same(chat: Chat) -> None:
    tokens = {(await chat.identity.come_in(f"Ann {n}"))[1] for n in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


async def test_a_visitor_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        visitor, token = await chat.identity.come_in("Ann")
    async with running_chat(tmp_path, clock) as chat:
        assert await _recognised_as(chat, token) == visitor.id


async def test_a_visitor_survives_a_crash(tmp_path: Path, clock: FakeClock) -> None:
    chat = Chat(make_settings(tmp_path), clock=clock)
    await chat.start()
    visitor, token = await chat.identity.come_in("Ann")
    await crash(chat)
    async with running_chat(tmp_path, clock) as chat:
        assert await _recognised_as(chat, token) == visitor.id


@pytest.mark.parametrize("nickname", ["Anna", "ANNA", "\uff21nna", " Anna\u200b ", "\u0391NNA"])
async def test_a_nickname_that_looks_like_a_taken_one_is_taken(chat: Chat, nickname: str) -> None:
    await come_in(chat, "Anna")
    with pytest.raises(NicknameTaken):
        await chat.identity.come_in(nickname)


async def test_a_nickname_in_another_alphabet_that_looks_like_a_taken_one_is_taken(
    chat: Chat,
) -> None:
    await come_in(chat, "\u0421\u0410\u0425\u0410")  # Cyrillic
    for other in ("CAXA", "\u0421AXA"):
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in(other)
    assert not await chat.identity.is_free("CAXA")


async def test_nicknames_that_mix_alphabets_or_imitate_a_badge_are_refused(chat: Chat) -> None:
    for nickname in ("A\u04cfice", "\u0410nna", "1\u0968", "Ann \u2713 5m8t7", "\u2705"):
        with pytest.raises(InvalidNickname) as refused:
            await chat.identity.come_in(nickname)
        assert not isinstance(refused.value, NicknameTaken)
        with pytest.raises(InvalidNickname):
            await chat.identity.is_free(nickname)


async def test_stored_skeletons_of_an_earlier_release_are_replaced_at_the_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        visitors = [await come_in(chat, f"Guest {n} of {n * n}") for n in range(120)]
        for visitor in visitors:
            await _store_as_earlier(chat, visitor, visitor.nickname)
        assert await chat.identity.is_free("Guest 7 of 49"), "the old skeletons differ"
    async with running_chat(tmp_path, clock) as chat:
        for visitor in visitors:
            assert not await chat.identity.is_free(visitor.nickname.upper())
        assert await chat.identity.update_skeletons() == 0, "once is enough"


async def test_visitors_of_an_earlier_release_who_look_alike_both_stay(
    tmp_path: Path, clock: FakeClock
) -> None:
    names = ("Alice", "A\u04cfice", "ALICE \u2713")
    async with running_chat(tmp_path, clock) as chat:
        tokens = []
        for number, name in enumerate(names):
            visitor, token = await chat.identity.come_in(f"Guest {number}", phrase=PHRASE + name)
            await chat.identity.recognise(token)
            await _store_as_earlier(chat, visitor, name)
            tokens.append(token)
    async with running_chat(tmp_path, clock) as chat:
        for name, token in zip(names, tokens, strict=True):
            known = await chat.identity.recognise(token)
            assert known
            assert known.nickname == name
            again, _ = await chat.identity.come_in(name, phrase=PHRASE + name)
            assert again.id == known.id, "the phrase leads there under the exact nickname"
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in("alice")


async def test_a_row_whose_key_is_gone_does_not_stop_the_update_of_skeletons(
    chat: Chat,
) -> None:
    ann, ben = await come_in(chat, "Ann"), await come_in(chat, "Ben")
    for each in (ann, ben):
        await _store_as_earlier(chat, each, each.nickname)
    await chat._keys.destroy([f"visitor {ann.id}"])
    await chat.identity.update_skeletons()
    assert not await chat.identity.is_free("Ben")


async def test_a_nickname_that_looks_like_two_taken_ones_is_taken(
    chat: Chat, clock: FakeClock
) -> None:
    nu = "\u039d"
    await come_in(chat, "N")  # looks like a Greek nu as it is written
    clock.move(chat.settings.new_visitor_ttl / 2)
    await come_in(chat, "v")  # looks like a small nu
    clock.move(chat.settings.new_visitor_ttl / 2)
    assert not await chat.identity.is_free(nu), "the second one is still there"
    clock.move(chat.settings.new_visitor_ttl / 2)
    assert await chat.identity.is_free(nu)
    await come_in(chat, nu)


async def test_a_bad_nickname_is_refused(chat: Chat) -> None:
    for nickname in ("", " ", "\u200b", "a" * 25):
        with pytest.raises(InvalidNickname):
            await chat.identity.come_in(nickname)
        with pytest.raises(InvalidNickname):
            await chat.identity.is_free(nickname)


async def test_of_many_who_want_a_nickname_at_once_one_gets_it(chat: Chat) -> None:
    answers = await asyncio.gather(
        *(chat.identity.come_in(name) for name in ["Ann", "ANN", "\uff21nn", "ann"] * 5),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers].count(tuple) == 1
    assert [type(answer) for answer in answers].count(NicknameTaken) == 19


async def test_a_nickname_is_free_again_once_its_visitor_was_forgotten(chat: Chat) -> None:
    visitor = await come_in(chat, "Ann")
    await chat.identity.forget(visitor.id)
    assert await chat.identity.is_free("Ann")
    assert (await come_in(chat, "Ann")).id != visitor.id


async def test_a_nickname_is_free_again_after_its_time_even_if_the_janitor_is_dead(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    clock.move(chat.settings.visitor_ttl)
    assert await chat.identity.is_free("ann")
    assert await chat.identity.recognise(token) is None
    assert (await come_in(chat, "Ann")).id != visitor.id
    assert await chat.identity.recognise(token) is None


async def test_a_nickname_is_soon_free_again_if_its_token_never_arrived(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    assert visitor.expires_at == clock() + timedelta(minutes=10)
    clock.move(timedelta(minutes=10, microseconds=-1))
    assert not await chat.identity.is_free("Ann")
    clock.move(timedelta(microseconds=1))
    assert await chat.identity.is_free("Ann")
    assert await chat.identity.recognise(token) is None


@pytest.mark.parametrize("ttl", ["5m", "11m", "30d"])
async def test_whoever_was_recognised_once_is_known_for_the_whole_time(
    tmp_path: Path, clock: FakeClock, ttl: str
) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl=ttl) as chat:
        visitor, token = await chat.identity.come_in("Ann")
        assert visitor.expires_at <= clock() + chat.settings.visitor_ttl
        recognised = await chat.identity.recognise(token)
        assert recognised
        life = min(chat.settings.new_visitor_ttl, chat.settings.visitor_ttl)
        assert recognised.expires_at == clock() + life


async def test_whoever_posts_has_arrived(chat: Chat, clock: FakeClock) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    room = await chat.rooms.open("night train", visitor_id=visitor.id)
    await say(chat, room, visitor, "hello")
    clock.move(chat.settings.visitor_ttl - timedelta(seconds=1))
    assert await chat.identity.recognise(token)


@pytest.mark.single("of several nodes another might know the key; there the end comes first")
async def test_a_nickname_is_free_again_if_the_disk_kept_the_row_of_a_forgotten_visitor(
    chat: Chat,
) -> None:
    visitor = await come_in(chat, "Ann")
    await chat._keys.destroy([f"visitor {visitor.id}"])
    assert await chat.identity.is_free("Ann")
    await come_in(chat, "Ann")


async def test_a_visitor_who_comes_back_now_and_then_is_never_forgotten(
    chat: Chat, clock: FakeClock
) -> None:
    ann, token = await chat.identity.come_in("Ann")
    await chat.identity.recognise(token)
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await say(chat, room, ann, "hello")
    for _ in range(5):
        clock.move(chat.settings.visitor_ttl - DAY)
        await chat.expiry.purge()
        visitor = await chat.identity.recognise(token)
        assert visitor
        assert visitor.expires_at == clock() + chat.settings.visitor_ttl


async def test_a_short_life_is_put_off_just_as_well(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="10m") as chat:
        _, token = await chat.identity.come_in("Ann")
        for _ in range(10):
            clock.move(timedelta(minutes=6))
            assert await chat.identity.recognise(token)


async def test_being_recognised_never_shortens_a_life(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h") as chat:
        ann, token = await chat.identity.come_in("Ann")
        room = await chat.rooms.open("train", visitor_id=ann.id)
        await chat.memberships.join(room.id, visitor_id=ann.id)
        await say(chat, room, ann, "lives for a day")
        clock.move(timedelta(hours=2))
        assert await chat.identity.recognise(token)
        clock.move(timedelta(hours=2))
        assert await read(chat, room, ann) == ["lives for a day"]


async def test_one_who_is_recognised_while_being_forgotten_is_forgotten(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    clock.move(2 * DAY)
    await asyncio.gather(
        *(chat.identity.recognise(token) for _ in range(5)),
        chat.identity.forget(visitor.id),
        *(chat.identity.recognise(token) for _ in range(5)),
    )
    assert await chat.identity.recognise(token) is None
    assert await chat.identity.is_free("Ann")
    clock.move(2 * chat.settings.visitor_ttl)
    assert (await chat.expiry.purge()).visitors == 0, "no row may have come back"


async def test_who_is_forgotten_is_out_of_all_rooms_with_all_they_said(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one")
    await say(chat, room, bob, "two")
    await say(chat, room, ann, "three")
    author = (await chat.memberships.require(room.id, visitor_id=ann.id)).author
    ear = Ear(chat)
    await chat.identity.forget(ann.id)
    assert await read(chat, room, bob) == ["two"]
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert [member.nickname for member in members] == ["Bob"]
    assert ear.heard == [
        MessagesGone(room.id, (1, 3)),
        MemberLeft(room.id, ann.id, author),
        VisitorForgotten(ann.id),
    ]


async def test_who_has_said_much_is_forgotten_in_small_steps(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        *_, kept = await asyncio.gather(
            *(chat.messages.post(room.id, visitor_id=ann.id, text=str(n)) for n in range(1_201)),
            chat.messages.post(room.id, visitor_id=bob.id, text="still here"),
        )
        await chat.messages.finish()
        ear = Ear(chat)
        await chat.identity.forget(ann.id)
        gone = ear.all(MessagesGone)
        assert [len(event.seqs) for event in gone] == [500, 500, 201]
        assert {seq for event in gone for seq in event.seqs} == set(range(1, 1_203)) - {kept.seq}
        assert ear.heard[-1] == VisitorForgotten(ann.id)
        assert await read(chat, room, bob) == ["still here"]


async def test_all_tokens_of_a_forgotten_visitor_are_worthless(chat: Chat) -> None:
    visitor, first = await chat.identity.come_in("Ann", phrase=PHRASE)
    _, second = await chat.identity.come_in("Ann", phrase=PHRASE)
    await chat.identity.forget(visitor.id)
    assert await chat.identity.recognise(first) is None
    assert await chat.identity.recognise(second) is None


async def test_there_are_only_so_many_visitors(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitors_max=2) as chat:
        await come_in(chat, "Ann")
        await come_in(chat, "Bob")
        with pytest.raises(LimitReached):
            await come_in(chat, "Cid")


async def test_the_same_phrase_gives_the_same_badge_another_day(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        first, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
        await chat.identity.forget(first.id)
    clock.move(100 * DAY)
    async with running_chat(tmp_path, clock) as chat:
        second, _ = await chat.identity.come_in("Ann", phrase=f" {PHRASE} ")
        other, _ = await chat.identity.come_in("Bob", phrase=PHRASE.title())
    assert first.id != second.id
    assert first.badge == second.badge
    assert len(first.badge) == 5
    assert other.badge != first.badge


async def test_without_a_phrase_there_is_no_badge(chat: Chat) -> None:
    assert (await come_in(chat, "Ann")).badge == ""


async def test_the_same_phrase_gives_another_badge_in_another_place(
    tmp_path: Path, clock: FakeClock
) -> None:
    badges = set()
    for place in ("here", "there"):
        async with running_chat(tmp_path / place, clock) as chat:
            badges.add((await chat.identity.come_in("Ann", phrase=PHRASE))[0].badge)
    assert len(badges) == 2


async def test_the_phrase_leads_into_the_same_identity_from_another_browser(chat: Chat) -> None:
    visitor, first = await chat.identity.come_in("Ann", phrase=PHRASE)
    again, second = await chat.identity.come_in("ann", phrase=PHRASE)
    assert again == visitor
    assert first != second
    assert await _recognised_as(chat, first) == await _recognised_as(chat, second) == visitor.id


async def test_a_wrong_phrase_is_refused(chat: Chat) -> None:
    await chat.identity.come_in("Ann", phrase=PHRASE)
    for phrase in ("", "wrong horse battery", PHRASE.upper()):
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in("Ann", phrase=phrase)


async def test_no_phrase_opens_an_identity_that_has_none(chat: Chat) -> None:
    await come_in(chat, "Ann")
    for phrase in ("", PHRASE):
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in("Ann", phrase=phrase)


@pytest.mark.parametrize(
    "phrase", ["short", "1234567", "x" * 201, " " * 401, 12345678, ["list", "of", "it"]]
)
async def test_a_bad_phrase_is_refused(chat: Chat, phrase: str) -> None:
    with pytest.raises(InvalidPhrase):
        await chat.identity.come_in("Ann", phrase=phrase)


async def test_a_phrase_of_any_characters_works(chat: Chat) -> None:
    for number, phrase in enumerate(["секретная фраза", "🔑" * 8, "half \ud83d of one", "\0" * 8]):
        visitor, _ = await chat.identity.come_in(f"Ann {number}", phrase=phrase)
        assert (await chat.identity.come_in(f"Ann {number}", phrase=phrase))[0] == visitor


async def test_the_phrase_is_in_no_file(chat: Chat, tmp_path: Path) -> None:
    visitor, _ = await chat.identity.come_in("Ann", phrase=PHRASE)
    stored = bytes_in(tmp_path)
    assert PHRASE.encode() not in stored
    assert visitor.badge.encode() not in stored


async def test_so_many_browsers_hold_an_identity_and_the_oldest_gives_way(
    tmp_path: Path, clock: FakeClock
) -> None:
    tokens = []
    async with running_chat(tmp_path, clock, browsers_per_visitor_max=3) as chat:
        ear = Ear(chat)
        for number in range(1, 6):
            clock.move(timedelta(seconds=1))
            visitor, token = await chat.identity.come_in("Ann", phrase=PHRASE)
            tokens.append(token)
            assert ear.all(TokenRevoked) == [TokenRevoked(visitor.id)] * max(0, number - 3)
        known = [await chat.identity.recognise(token) is not None for token in tokens]
    assert known == [False, False, True, True, True]


async def _store_as_earlier(chat: Chat, visitor: Visitor, nickname: str) -> None:
    """Store a visitor as an earlier release did: under that nickname, with other skeletons."""
    sealed = await chat.identity._vault.seal_visitor(
        visitor.id, nickname=nickname, badge=visitor.badge
    )
    async with chat._database.transaction() as session:
        row = await session.get(VisitorRow, visitor.id)
        assert row
        row.sealed, row.skeleton_version = sealed, 0
        row.nickname_key = hashlib.sha256(f"nickname {nickname}".encode()).digest()
        row.folded_key = hashlib.sha256(f"folded {nickname}".encode()).digest()


async def _recognised_as(chat: Chat, token: str) -> str | None:
    visitor = await chat.identity.recognise(token)
    return visitor.id if visitor else None


async def test_a_forgotten_nickname_leaves_memory(chat: Chat) -> None:
    visitor, token = await chat.identity.come_in("Swordfish")
    assert await chat.identity.recognise(token)
    await chat.identity.forget(visitor.id)
    assert "Swordfish" not in repr(chat.identity._known)


async def test_a_token_that_was_read_before_it_was_revoked_is_not_known_after(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    phrase = "correct horse battery staple"
    _, oldest = await chat.identity.come_in("Ann", phrase=phrase)
    clock.move(timedelta(seconds=1))
    for _ in range(chat.settings.browsers_per_visitor_max - 1):
        await chat.identity.come_in("Ann", phrase=phrase)
    chat.identity._known.clear()
    reading, go_on = asyncio.Event(), asyncio.Event()
    open_visitor = chat._database.reading

    @asynccontextmanager
    async def read_slowly() -> AsyncIterator[AsyncSession]:
        async with open_visitor() as session:
            yield session
        reading.set()
        await go_on.wait()

    with monkeypatch.context() as patched:
        patched.setattr(chat._database, "reading", read_slowly)
        late = asyncio.create_task(chat.identity.recognise(oldest))
        await reading.wait()
    await chat.identity.come_in("Ann", phrase=phrase)
    go_on.set()
    await late
    assert await chat.identity.recognise(oldest) is None
