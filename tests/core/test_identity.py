"""Signing in, authenticating and forgetting visitors."""

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
    MessagesDeleted,
    NicknameTaken,
    NotFound,
    RoomChanged,
    TokenRevoked,
    Visitor,
    VisitorForgotten,
)
from models import VisitorRow
from tests.fakes import (
    EventRecorder,
    FakeClock,
    crash,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    read_all_bytes,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")

PHRASE = "correct horse battery"
DAY = timedelta(days=1)


async def test_signed_in_visitor_is_authenticated_by_their_token(chat: Chat) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    assert visitor.nickname == "Ann"
    assert await _authenticated_id(chat, token) == visitor.id


@pytest.mark.parametrize(
    "nickname",
    ["admin", "ADMIN", "Adm\u0131n", "adm1n", "Модератор", "the kitchen", "\u0430dmin"],
)
async def test_reserved_nickname_is_refused(
    tmp_path: Path, clock: FakeClock, nickname: str
) -> None:
    async with running_chat(tmp_path, clock, name="The Kitchen") as chat:
        with pytest.raises(InvalidNickname) as caught:
            await chat.identity.sign_in(nickname)
        assert not isinstance(caught.value, NicknameTaken)
        with pytest.raises(InvalidNickname):
            await chat.identity.is_nickname_available(nickname)
        with pytest.raises(InvalidNickname):
            await chat.identity.sign_in(nickname, phrase=PHRASE)
        for free in ("administer", "Ann the admin", "кухня"):
            await chat.identity.sign_in(free)


async def test_reserved_nicknames_are_a_setting(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, reserved_names=" Boss ,  хозяин") as chat:
        for nickname in ("boss", "B0SS", "Хозяин"):
            with pytest.raises(InvalidNickname, match="reserved"):
                await chat.identity.sign_in(nickname)
        await chat.identity.sign_in("admin")


@pytest.mark.parametrize("off", ["off", " OFF "])
async def test_no_nickname_is_reserved_if_reserved_names_are_off(
    tmp_path: Path, clock: FakeClock, off: str
) -> None:
    async with running_chat(tmp_path, clock, reserved_names=off) as chat:
        for nickname in ("admin", "off"):
            await chat.identity.sign_in(nickname)


async def test_visitor_keeps_a_nickname_that_is_reserved_later(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        ann, token = await chat.identity.sign_in("Boss", phrase=PHRASE)
    async with running_chat(tmp_path, clock, reserved_names="boss") as chat:
        assert await _authenticated_id(chat, token) == ann.id
        again, _ = await chat.identity.sign_in("boss", phrase=PHRASE)
        assert again.id == ann.id
        await chat.identity.forget(ann.id)
        with pytest.raises(InvalidNickname, match="reserved"):
            await chat.identity.sign_in("Boss")


async def test_other_tokens_are_not_authenticated(chat: Chat) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    for other in ("", visitor.id, token[:-1], token + "A", token.swapcase(), "\ud800", "ü"):
        assert await chat.identity.authenticate(other) is None


@pytest.mark.single("tests/cluster searches the files of PostgreSQL for tokens")
async def test_only_a_hash_of_the_token_is_stored(chat: Chat, tmp_path: Path) -> None:
    _, token = await chat.identity.sign_in("Ann")
    stored = read_all_bytes(tmp_path)
    assert len(stored) > 10_000, "the database must exist, otherwise the test proves nothing"
    assert token.encode() not in stored


async def test_tokens_are_long_and_unique(chat: Chat) -> None:
    tokens = {(await chat.identity.sign_in(f"Ann {n}"))[1] for n in range(20)}
    assert len(tokens) == 20
    assert all(len(token) >= 43 for token in tokens)


async def test_visitor_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        visitor, token = await chat.identity.sign_in("Ann")
    async with running_chat(tmp_path, clock) as chat:
        assert await _authenticated_id(chat, token) == visitor.id


async def test_visitor_survives_a_crash(tmp_path: Path, clock: FakeClock) -> None:
    chat = Chat(make_settings(tmp_path), clock=clock)
    await chat.start()
    visitor, token = await chat.identity.sign_in("Ann")
    await crash(chat)
    async with running_chat(tmp_path, clock) as chat:
        assert await _authenticated_id(chat, token) == visitor.id


@pytest.mark.parametrize("nickname", ["Anna", "ANNA", "\uff21nna", " Anna\u200b ", "\u0391NNA"])
async def test_nickname_that_looks_like_a_taken_one_is_taken(chat: Chat, nickname: str) -> None:
    await sign_in(chat, "Anna")
    with pytest.raises(NicknameTaken):
        await chat.identity.sign_in(nickname)


async def test_nickname_in_another_alphabet_that_looks_like_a_taken_one_is_taken(
    chat: Chat,
) -> None:
    await sign_in(chat, "\u0421\u0410\u0425\u0410")  # Cyrillic
    for other in ("CAXA", "\u0421AXA"):
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in(other)
    assert not await chat.identity.is_nickname_available("CAXA")


async def test_nickname_that_mixes_alphabets_or_imitates_a_badge_is_rejected(chat: Chat) -> None:
    for nickname in ("A\u04cfice", "\u0410nna", "1\u0968", "Ann \u2713 5m8t7", "\u2705"):
        with pytest.raises(InvalidNickname) as refused:
            await chat.identity.sign_in(nickname)
        assert not isinstance(refused.value, NicknameTaken)
        with pytest.raises(InvalidNickname):
            await chat.identity.is_nickname_available(nickname)


async def test_stored_skeletons_of_an_earlier_release_are_replaced_at_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        visitors = [await sign_in(chat, f"Guest {n} of {n * n}") for n in range(120)]
        for visitor in visitors:
            await _store_as_earlier_release(chat, visitor, visitor.nickname)
        assert await chat.identity.is_nickname_available("Guest 7 of 49"), (
            "the earlier skeletons must differ"
        )
    async with running_chat(tmp_path, clock) as chat:
        for visitor in visitors:
            assert not await chat.identity.is_nickname_available(visitor.nickname.upper())
        assert await chat.nicknames.update_skeletons() == 0, "the start has updated all skeletons"


async def test_visitors_of_an_earlier_release_with_lookalike_nicknames_are_kept(
    tmp_path: Path, clock: FakeClock
) -> None:
    names = ("Alice", "A\u04cfice", "ALICE \u2713")
    async with running_chat(tmp_path, clock) as chat:
        tokens = []
        for number, name in enumerate(names):
            visitor, token = await chat.identity.sign_in(f"Guest {number}", phrase=PHRASE + name)
            await chat.identity.authenticate(token)
            await _store_as_earlier_release(chat, visitor, name)
            tokens.append(token)
    async with running_chat(tmp_path, clock) as chat:
        for name, token in zip(names, tokens, strict=True):
            known = await chat.identity.authenticate(token)
            assert known
            assert known.nickname == name
            again, _ = await chat.identity.sign_in(name, phrase=PHRASE + name)
            assert again.id == known.id, "the phrase signs in to the exact nickname"
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in("alice")


async def test_row_without_a_key_does_not_stop_the_update_of_skeletons(
    chat: Chat,
) -> None:
    ann, ben = await sign_in(chat, "Ann"), await sign_in(chat, "Ben")
    for each in (ann, ben):
        await _store_as_earlier_release(chat, each, each.nickname)
    await chat._keys.destroy([f"visitor {ann.id}"])
    await chat.nicknames.update_skeletons()
    assert not await chat.identity.is_nickname_available("Ben")


async def test_nickname_is_taken_while_one_of_two_lookalikes_exists(
    chat: Chat, clock: FakeClock
) -> None:
    nu = "\u039d"
    await sign_in(chat, "N")  # looks like a capital Greek nu
    clock.advance(chat.settings.new_visitor_ttl / 2)
    await sign_in(chat, "v")  # looks like a small Greek nu
    clock.advance(chat.settings.new_visitor_ttl / 2)
    assert not await chat.identity.is_nickname_available(nu), "the second lookalike still exists"
    clock.advance(chat.settings.new_visitor_ttl / 2)
    assert await chat.identity.is_nickname_available(nu)
    await sign_in(chat, nu)


async def test_invalid_nickname_is_rejected(chat: Chat) -> None:
    for nickname in ("", " ", "\u200b", "a" * 25):
        with pytest.raises(InvalidNickname):
            await chat.identity.sign_in(nickname)
        with pytest.raises(InvalidNickname):
            await chat.identity.is_nickname_available(nickname)


async def test_one_of_many_concurrent_sign_ins_gets_the_nickname(chat: Chat) -> None:
    results = await asyncio.gather(
        *(chat.identity.sign_in(name) for name in ["Ann", "ANN", "\uff21nn", "ann"] * 5),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(tuple) == 1
    assert [type(result) for result in results].count(NicknameTaken) == 19


async def test_nickname_is_free_after_its_visitor_is_forgotten(chat: Chat) -> None:
    visitor = await sign_in(chat, "Ann")
    await chat.identity.forget(visitor.id)
    assert await chat.identity.is_nickname_available("Ann")
    assert (await sign_in(chat, "Ann")).id != visitor.id


async def test_nickname_is_free_after_its_visitor_expires_even_without_a_purge(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    clock.advance(chat.settings.visitor_ttl)
    assert await chat.identity.is_nickname_available("ann")
    assert await chat.identity.authenticate(token) is None
    assert (await sign_in(chat, "Ann")).id != visitor.id
    assert await chat.identity.authenticate(token) is None


async def test_nickname_is_free_after_ten_minutes_if_its_token_is_never_used(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    assert visitor.expires_at == clock() + timedelta(minutes=10)
    clock.advance(timedelta(minutes=10, microseconds=-1))
    assert not await chat.identity.is_nickname_available("Ann")
    clock.advance(timedelta(microseconds=1))
    assert await chat.identity.is_nickname_available("Ann")
    assert await chat.identity.authenticate(token) is None


@pytest.mark.parametrize("ttl", ["5m", "11m", "30d"])
async def test_new_visitor_expires_after_the_shorter_visitor_lifetime(
    tmp_path: Path, clock: FakeClock, ttl: str
) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl=ttl) as chat:
        visitor, token = await chat.identity.sign_in("Ann")
        assert visitor.expires_at <= clock() + chat.settings.visitor_ttl
        authenticated = await chat.identity.authenticate(token)
        assert authenticated
        lifetime = min(chat.settings.new_visitor_ttl, chat.settings.visitor_ttl)
        assert authenticated.expires_at == clock() + lifetime


async def test_visitor_who_has_posted_lives_for_the_visitor_lifetime(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    room = await chat.rooms.open("night train", visitor_id=visitor.id)
    await post_messages(chat, room, visitor, "hello")
    clock.advance(chat.settings.visitor_ttl - timedelta(seconds=1))
    assert await chat.identity.authenticate(token)


@pytest.mark.single("in a cluster another node might have the key")
async def test_nickname_is_free_if_its_visitor_row_has_no_key(
    chat: Chat,
) -> None:
    visitor = await sign_in(chat, "Ann")
    await chat._keys.destroy([f"visitor {visitor.id}"])
    assert await chat.identity.is_nickname_available("Ann")
    await sign_in(chat, "Ann")


async def test_visitor_who_returns_regularly_does_not_expire(chat: Chat, clock: FakeClock) -> None:
    ann, token = await chat.identity.sign_in("Ann")
    await chat.identity.authenticate(token)
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await post_messages(chat, room, ann, "hello")
    for _ in range(5):
        clock.advance(chat.settings.visitor_ttl - DAY)
        await chat.expiry.purge()
        visitor = await chat.identity.authenticate(token)
        assert visitor
        assert visitor.expires_at == clock() + chat.settings.visitor_ttl


async def test_short_visitor_lifetime_is_extended_by_authentication(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="10m") as chat:
        _, token = await chat.identity.sign_in("Ann")
        for _ in range(10):
            clock.advance(timedelta(minutes=6))
            assert await chat.identity.authenticate(token)


async def test_authentication_never_shortens_a_visitor_lifetime(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h") as chat:
        ann, token = await chat.identity.sign_in("Ann")
        room = await chat.rooms.open("train", visitor_id=ann.id)
        await chat.memberships.join(room.id, visitor_id=ann.id)
        await post_messages(chat, room, ann, "lives for a day")
        clock.advance(timedelta(hours=2))
        assert await chat.identity.authenticate(token)
        clock.advance(timedelta(hours=2))
        assert await read(chat, room, ann) == ["lives for a day"]


async def test_visitor_who_authenticates_while_being_forgotten_is_forgotten(
    chat: Chat, clock: FakeClock
) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    clock.advance(2 * DAY)
    await asyncio.gather(
        *(chat.identity.authenticate(token) for _ in range(5)),
        chat.identity.forget(visitor.id),
        *(chat.identity.authenticate(token) for _ in range(5)),
    )
    assert await chat.identity.authenticate(token) is None
    assert await chat.identity.is_nickname_available("Ann")
    clock.advance(2 * chat.settings.visitor_ttl)
    assert (await chat.expiry.purge()).visitors == 0, "no row may be restored"


async def test_forgotten_visitor_is_removed_from_rooms_with_their_messages(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one")
    await post_messages(chat, room, bob, "two")
    await post_messages(chat, room, ann, "three")
    author = (await chat.memberships.require(room.id, visitor_id=ann.id)).author
    recorder = EventRecorder(chat)
    await chat.identity.forget(ann.id)
    assert await read(chat, room, bob) == ["two"]
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert [member.nickname for member in members] == ["Bob"]
    (changed,) = recorder.of_type(RoomChanged)
    assert changed.room.owner == members[0].author
    of_forgetting = (MessagesDeleted, MemberLeft, VisitorForgotten)
    assert [event for event in recorder.events if isinstance(event, of_forgetting)] == [
        MessagesDeleted(room.id, (1, 3)),
        MemberLeft(room.id, ann.id, author),
        VisitorForgotten(ann.id),
    ]


async def test_messages_of_a_forgotten_visitor_are_deleted_in_batches(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        *_, kept = await asyncio.gather(
            *(chat.messages.post(room.id, visitor_id=ann.id, text=str(n)) for n in range(1_201)),
            chat.messages.post(room.id, visitor_id=bob.id, text="still here"),
        )
        await chat.messages.flush()
        recorder = EventRecorder(chat)
        await chat.identity.forget(ann.id)
        events = recorder.of_type(MessagesDeleted)
        assert [len(event.seqs) for event in events] == [500, 500, 201]
        assert {seq for event in events for seq in event.seqs} == set(range(1, 1_203)) - {kept.seq}
        assert recorder.events[-1] == VisitorForgotten(ann.id)
        assert await read(chat, room, bob) == ["still here"]


async def test_all_tokens_of_a_forgotten_visitor_are_invalid(chat: Chat) -> None:
    visitor, first = await chat.identity.sign_in("Ann", phrase=PHRASE)
    _, second = await chat.identity.sign_in("Ann", phrase=PHRASE)
    await chat.identity.forget(visitor.id)
    assert await chat.identity.authenticate(first) is None
    assert await chat.identity.authenticate(second) is None


async def test_number_of_visitors_is_limited(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitors_max=2) as chat:
        await sign_in(chat, "Ann")
        await sign_in(chat, "Bob")
        with pytest.raises(LimitReached):
            await sign_in(chat, "Cid")


async def test_same_phrase_gives_the_same_badge_on_another_day(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        first, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
        await chat.identity.forget(first.id)
    clock.advance(100 * DAY)
    async with running_chat(tmp_path, clock) as chat:
        second, _ = await chat.identity.sign_in("Ann", phrase=f" {PHRASE} ")
        other, _ = await chat.identity.sign_in("Bob", phrase=PHRASE.title())
    assert first.id != second.id
    assert first.badge == second.badge
    assert len(first.badge) == 5
    assert other.badge != first.badge


async def test_visitor_without_a_phrase_has_no_badge(chat: Chat) -> None:
    assert (await sign_in(chat, "Ann")).badge == ""


async def test_same_phrase_gives_another_badge_on_another_site(
    tmp_path: Path, clock: FakeClock
) -> None:
    badges = set()
    for site in ("here", "there"):
        async with running_chat(tmp_path / site, clock) as chat:
            badges.add((await chat.identity.sign_in("Ann", phrase=PHRASE))[0].badge)
    assert len(badges) == 2


async def test_phrase_signs_in_to_the_same_visitor_from_another_browser(chat: Chat) -> None:
    visitor, first = await chat.identity.sign_in("Ann", phrase=PHRASE)
    again, second = await chat.identity.sign_in("ann", phrase=PHRASE)
    assert again == visitor
    assert first != second
    assert (
        await _authenticated_id(chat, first) == await _authenticated_id(chat, second) == visitor.id
    )


async def test_wrong_phrase_is_rejected(chat: Chat) -> None:
    await chat.identity.sign_in("Ann", phrase=PHRASE)
    for phrase in ("", "wrong horse battery", PHRASE.upper()):
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in("Ann", phrase=phrase)


async def test_visitor_without_a_phrase_cannot_sign_in_again(chat: Chat) -> None:
    await sign_in(chat, "Ann")
    for phrase in ("", PHRASE):
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in("Ann", phrase=phrase)


@pytest.mark.parametrize(
    "phrase", ["short", "1234567", "x" * 201, " " * 401, 12345678, ["list", "of", "it"]]
)
async def test_invalid_phrase_is_rejected(chat: Chat, phrase: str) -> None:
    with pytest.raises(InvalidPhrase):
        await chat.identity.sign_in("Ann", phrase=phrase)


async def test_phrase_may_contain_any_characters(chat: Chat) -> None:
    for number, phrase in enumerate(["секретная фраза", "🔑" * 8, "half \ud83d of one", "\0" * 8]):
        visitor, _ = await chat.identity.sign_in(f"Ann {number}", phrase=phrase)
        assert (await chat.identity.sign_in(f"Ann {number}", phrase=phrase))[0] == visitor


async def test_phrase_is_not_stored_in_any_file(chat: Chat, tmp_path: Path) -> None:
    visitor, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    stored = read_all_bytes(tmp_path)
    assert PHRASE.encode() not in stored
    assert visitor.badge.encode() not in stored


async def test_oldest_session_of_a_visitor_is_revoked_beyond_the_limit(
    tmp_path: Path, clock: FakeClock
) -> None:
    tokens = []
    async with running_chat(tmp_path, clock, sessions_per_visitor_max=3) as chat:
        recorder = EventRecorder(chat)
        for number in range(1, 6):
            clock.advance(timedelta(seconds=1))
            visitor, token = await chat.identity.sign_in("Ann", phrase=PHRASE)
            tokens.append(token)
            assert recorder.of_type(TokenRevoked) == [TokenRevoked(visitor.id)] * max(0, number - 3)
        known = [await chat.identity.authenticate(token) is not None for token in tokens]
    assert known == [False, False, True, True, True]


async def _store_as_earlier_release(chat: Chat, visitor: Visitor, nickname: str) -> None:
    """Store a visitor as an earlier release did: with this nickname and other skeletons."""
    encrypted = await chat.identity._cipher.encrypt_visitor(
        visitor.id, nickname=nickname, badge=visitor.badge
    )
    async with chat._database.transaction() as session:
        row = await session.get(VisitorRow, visitor.id)
        assert row
        row.sealed, row.skeleton_version = encrypted, 0
        row.nickname_key = hashlib.sha256(f"nickname {nickname}".encode()).digest()
        row.folded_key = hashlib.sha256(f"folded {nickname}".encode()).digest()


async def _authenticated_id(chat: Chat, token: str) -> str | None:
    visitor = await chat.identity.authenticate(token)
    return visitor.id if visitor else None


async def test_forgotten_nickname_is_removed_from_memory(chat: Chat) -> None:
    visitor, token = await chat.identity.sign_in("Swordfish")
    assert await chat.identity.authenticate(token)
    await chat.identity.forget(visitor.id)
    assert "Swordfish" not in repr(vars(chat.identity._token_cache))


async def test_token_read_before_its_revocation_is_invalid_afterwards(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    phrase = "correct horse battery staple"
    _, oldest = await chat.identity.sign_in("Ann", phrase=phrase)
    clock.advance(timedelta(seconds=1))
    for _ in range(chat.settings.sessions_per_visitor_max - 1):
        await chat.identity.sign_in("Ann", phrase=phrase)
    chat.identity._token_cache.clear()
    has_read, may_continue = asyncio.Event(), asyncio.Event()
    read_session = chat._database.read_session

    @asynccontextmanager
    async def read_slowly() -> AsyncIterator[AsyncSession]:
        async with read_session() as session:
            yield session
        has_read.set()
        await may_continue.wait()

    with monkeypatch.context() as patch:
        patch.setattr(chat._database, "read_session", read_slowly)
        authentication = asyncio.create_task(chat.identity.authenticate(oldest))
        await has_read.wait()
    await chat.identity.sign_in("Ann", phrase=phrase)
    may_continue.set()
    await authentication
    assert await chat.identity.authenticate(oldest) is None


async def test_visitor_is_found_by_nickname_but_not_by_one_that_looks_like_it(chat: Chat) -> None:
    bob = await sign_in(chat, "Bob")
    assert await chat.identity.find(" bOB ") == bob
    for other in ("B0b", "Rob"):
        with pytest.raises(NotFound):
            await chat.identity.find(other)


async def test_forgotten_and_expired_visitors_are_not_found(chat: Chat, clock: FakeClock) -> None:
    for nickname in ("Ann", "Bob"):
        await sign_in(chat, nickname)
    assert await chat.identity.forget((await chat.identity.find("Ann")).id) == 0
    clock.advance(chat.settings.visitor_ttl)
    for nickname in ("Ann", "Bob"):
        with pytest.raises(NotFound):
            await chat.identity.find(nickname)


async def test_repeated_attempt_continues_the_sign_in(chat: Chat) -> None:
    await chat.identity.sign_in("Ann", attempt="secret")
    visitor, token = await chat.identity.sign_in("Ann", attempt="secret")
    assert await _authenticated_id(chat, token) == visitor.id
    with pytest.raises(NicknameTaken):
        await chat.identity.sign_in("Ann", attempt="secret of somebody else")


async def test_repeated_attempt_may_change_nickname_and_phrase(chat: Chat) -> None:
    await chat.identity.sign_in("Ann", attempt="secret")
    await chat.identity.sign_in("Ann", phrase=PHRASE, attempt="secret")
    await chat.identity.sign_in("Mira", attempt="secret")
    assert await chat.identity.is_nickname_available("Ann")
    await chat.identity.sign_in("Ann")


async def test_concurrent_attempts_get_the_same_valid_token(chat: Chat) -> None:
    results = await asyncio.gather(
        *(chat.identity.sign_in("Ann", attempt="secret") for _ in range(5))
    )
    (token,) = {token for _, token in results}
    assert await _authenticated_id(chat, token)


async def test_repeated_attempt_does_not_take_a_visitor_who_came_in(chat: Chat) -> None:
    visitor, token = await chat.identity.sign_in("Ann", attempt="secret")
    assert await _authenticated_id(chat, token) == visitor.id
    with pytest.raises(NicknameTaken):
        await chat.identity.sign_in("Ann", attempt="secret")
    mira, other = await chat.identity.sign_in("Mira", attempt="secret")
    assert await _authenticated_id(chat, other) == mira.id
    assert await _authenticated_id(chat, token) == visitor.id


async def test_repeated_attempt_with_the_phrase_of_a_known_visitor_is_accepted(chat: Chat) -> None:
    visitor, _ = await chat.identity.sign_in("Ann", phrase=PHRASE)
    for _ in range(3):
        _, token = await chat.identity.sign_in("Ann", phrase=PHRASE, attempt="secret")
        assert await _authenticated_id(chat, token) == visitor.id
