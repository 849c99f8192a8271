"""What one node says is heard on the others, and a gap is noticed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import (
    BadgeChanged,
    Chat,
    MemberJoined,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    PuzzleUnsolved,
    RoomEnded,
    RoomNameTaken,
    RoomOpened,
    StartError,
    TooManyPhrases,
    TooOften,
    Unavailable,
    WrongPhrase,
)
from anonchat.bus import GroupKey, ValkeyBus
from anonchat.bus.codec import Codec, OtherGroupKey
from anonchat.checks import look_round
from anonchat.events import Event, PuzzleSolved, RollTold, RoomsStirred, VisitorForgotten
from anonchat.keystore import generation_of, span_of
from anonchat.secret_phrase import make_old_key
from anonchat.sharedkeys import SharedKeys
from anonchat.valkey import ValkeyLost
from models import VisitorRow
from pages.door import Door
from tests.core.test_puzzle import solve
from tests.fakes import (
    Ear,
    FakeClock,
    come_in,
    crash,
    execute,
    find_unsettled,
    gather_in,
    make_settings,
    read,
    running_chat,
    say,
)
from tests.pages.tab import until
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SECRET = "shared by all nodes"

MINUTE = timedelta(minutes=1)

Nodes = tuple[Chat, Chat]


@pytest.fixture
async def nodes(
    postgres: Postgres, server: Redis, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Nodes]:
    """Return two nodes of one site, with data folders of their own."""
    shared = {"database_url": postgres.take(), "bus_url": server.url, "secret_key": SECRET}
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running_chat(
                    tmp_path / name, clock, node_id=name, posts_per_visitor="6/1m", **shared
                )
            )
            for name in ("n1", "n2")
        ]
        yield first, second
    postgres.give_all_back()


async def test_what_happens_on_one_node_is_heard_on_the_other(nodes: Nodes) -> None:
    first, second = nodes
    ear = Ear(second)
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: bool(ear.all(MemberJoined)))
    assert ear.all(RoomOpened) == [RoomOpened(room)]
    assert (await second.lobby.find(room.slug)).name == "night train"
    await second.bus.attend(room.id)
    await say(first, room, ann, "hello")
    await until(lambda: bool(ear.all(MessagePosted)))
    assert ear.all(MessagePosted)[0].message.text == "hello"
    assert await read(second, room, ann) == ["hello"]
    await first.rooms.burn(room.id, visitor_id=ann.id)
    await until(lambda: bool(ear.all(RoomEnded)))
    assert second._keys.get(f"room {room.id}") is None
    await until(lambda: not second.lobby.glance(room.id))


async def test_of_a_room_that_nobody_here_attends_it_is_only_heard_that_it_stirs(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    ear = Ear(second)
    await say(first, room, ann, "hello")
    await until(lambda: bool(ear.all(RoomsStirred)))
    assert ear.all(MessagePosted) == []
    assert [each.last_seq for each in ear.all(RoomsStirred)[-1].rooms] == [1]
    glance = second.lobby.glance(room.id)
    assert glance and glance.room.last_seq == 1


async def test_a_token_of_one_node_is_known_on_the_other_until_its_visitor_is_forgotten(
    nodes: Nodes,
) -> None:
    first, second = nodes
    visitor, token = await first.identity.come_in("Ann")
    assert await second.identity.recognise(token)
    ear = Ear(second)
    await first.identity.forget(visitor.id)
    await until(lambda: bool(ear.all(VisitorForgotten)))
    assert await second.identity.recognise(token) is None


async def test_a_deletion_on_one_node_destroys_the_keys_that_both_have_sealed_with(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann, bob) = await gather_in(first, "night train", "Ann", "Bob")
    await say(first, room, ann, "mine")
    await say(second, room, bob, "yours")
    page = await first.messages.history(room.id, visitor_id=ann.id, limit=9)
    span = span_of(page[0].expires_at)
    before = {*first._keys.names_of_span(span), *second._keys.names_of_span(span)}
    assert before == {f"span {span} 0 n1", f"span {span} 0 n2"}
    ear = Ear(second)
    await first.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
    after = [f"span {span} 1 n1"]
    await until(lambda: second._keys.names_of_span(span) == after)
    assert first._keys.names_of_span(span) == after
    await until(lambda: bool(ear.all(RoomsStirred) or ear.all(MessagesGone)))
    assert await read(first, room, ann) == await read(second, room, bob) == ["yours"]


async def test_who_is_present_on_one_node_is_present_on_the_other_until_it_falls_silent(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    member = await first.memberships.require(room.id, visitor_id=ann.id)
    await first.presence.enter(member, screen="one")
    await until(lambda: second.presence.list_present(room.id) == {member.author})
    await first.bus.stop()
    second.presence._elapsed = lambda: 1e9
    await until(lambda: not second.presence.list_present(room.id))


async def test_what_was_spent_on_one_node_is_spent_on_the_other(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await say(first, room, ann, *"abcdef")
    spent = second.limits.posts._full
    await until(lambda: any(full - second.clock() >= MINUTE for full in spent.values()))
    with pytest.raises(TooOften):
        await say(second, room, ann, "one too many")


async def test_a_puzzle_of_one_node_is_solved_at_another_and_then_at_none(
    nodes: Nodes,
) -> None:
    first, second = nodes
    for node in nodes:
        node.puzzle.bits = 6
    ear = Ear(first)
    solution = solve(first.puzzle.pose(), bits=6)
    await second.identity.come_in("Ann", solution=solution)
    await until(lambda: bool(ear.all(PuzzleSolved)))
    for node in nodes:
        with pytest.raises(PuzzleUnsolved):
            await node.identity.come_in("Ben", solution=solution)


async def test_wrong_phrases_of_all_nodes_are_counted_together(nodes: Nodes) -> None:
    first, second = nodes
    await first.identity.come_in("Ann", phrase="correct horse battery")
    for node, times in ((first, 3), (second, 2)):
        for _ in range(times):
            with pytest.raises(WrongPhrase):
                await node.identity.come_in("Ann", phrase="wrong horse battery")
    for node in nodes:
        counted = node.limits.wrong_phrases._moments
        await until(lambda counted=counted: [len(each) for each in counted.values()] == [5])
        with pytest.raises(TooManyPhrases):
            await node.identity.come_in("Ann", phrase="correct horse battery")


async def test_badge_that_changed_on_one_node_is_known_on_the_other(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann, bob) = await gather_in(first, "night train", "Ann", "Bob")
    await second.memberships.list_members(room.id, visitor_id=bob.id)
    async with first._database.transaction() as session:
        row = await session.get(VisitorRow, ann.id)
        assert row
        row.phrase_key = make_old_key(first.hasher, "correct horse battery")
    ear = Ear(second)
    back, _ = await first.identity.come_in("Ann", phrase="correct horse battery")
    await until(lambda: bool(ear.all(BadgeChanged)))
    members = await second.memberships.list_members(room.id, visitor_id=bob.id)
    assert {member.badge for member in members} == {"", back.badge}


async def test_ticket_that_was_used_at_one_node_is_worthless_at_all(nodes: Nodes) -> None:
    first, second = nodes
    _, token = await first.identity.come_in("Ann")
    answers = await asyncio.gather(*(node.identity.replace_token(token) for node in nodes * 3))
    (fresh,) = [answer for answer in answers if answer]
    assert await first.identity.recognise(token) is None
    for node in nodes:
        assert await node.identity.recognise(fresh)
    await first.identity.sign_out(fresh)
    await until(lambda: not second.identity._known)
    for node in nodes:
        assert await node.identity.recognise(fresh) is None


async def test_a_ticket_of_one_node_becomes_a_cookie_at_another(nodes: Nodes) -> None:
    first, second = nodes
    _, token = await first.identity.come_in("Ann")
    web = FastAPI()
    web.include_router(Door(second).routes())
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.localhost") as browser:
        ticket = Door(first).write_ticket(token)
        assert (await browser.post("/session", content=ticket)).status_code == 204
        for node in nodes:
            visitor = await node.identity.recognise(browser.cookies["anonchat"])
            assert visitor
            assert visitor.nickname == "Ann"


@pytest.mark.parametrize("trouble", ["killed", "paused"])
async def test_a_gap_is_noticed_and_what_was_said_in_it_is_found(
    nodes: Nodes, server: Redis, trouble: str
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await second.bus.attend(room.id)
    mark = second.bus.hearing(room.id)
    assert mark
    assert await read(second, room, ann) == []
    if trouble == "killed":
        server.kill()
    else:
        server.pause()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    assert second.bus.hearing(room.id) is None
    await say(first, room, ann, "into the silence")
    ears = Ear(first), Ear(second)
    if trouble == "killed":
        server.start()
    else:
        server.go_on()
    await until(lambda: all(ear.all(NewsMissed) for ear in ears))
    await until(lambda: second.bus.hearing(room.id) not in (None, mark))
    await until(lambda: bool(second._keys.names_of_span(span_of(first.clock() + room.message_ttl))))
    assert await read(second, room, ann) == ["into the silence"]


async def test_a_node_that_joins_later_knows_everything(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, _ = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await say(first, room, ann, "before you came")
    settings = first.settings
    async with running_chat(
        tmp_path / "n3",
        clock,
        node_id="n3",
        database_url=settings.database_url,
        bus_url=settings.bus_url,
        secret_key=SECRET,
    ) as third:
        assert await read(third, room, ann) == ["before you came"]
        assert third.lobby.glance(room.id)


async def test_a_node_with_another_secret_key_is_turned_away(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, _ = nodes
    await come_in(first, "Ann")
    stranger = Chat(
        make_settings(
            tmp_path / "n4",
            database_url=first.settings.database_url,
            bus_url=first.settings.bus_url,
            secret_key="another secret key",
        ),
        clock=clock,
    )
    with pytest.raises(StartError, match="ANONCHAT_SECRET_KEY is not that of the other nodes"):
        await stranger.start()
    await stranger.stop()


def test_what_travels_can_be_read_by_none_without_the_group_key() -> None:
    event = VisitorForgotten("somebody")
    group, other = GroupKey("a" * 16, bytes(32)), GroupKey("b" * 16, bytes(32))
    packed = Codec(SECRET).pack(event, group, channel="all")
    assert b"somebody" not in packed
    assert Codec(SECRET).unpack(packed, group, channel="all") == event
    assert Codec(SECRET).unpack(packed, group, channel="another") is None
    assert Codec(SECRET).unpack(packed, GroupKey("a" * 16, b"x" * 32), channel="all") is None
    with pytest.raises(OtherGroupKey):
        Codec(SECRET).unpack(packed, other, channel="all")
    assert Codec("another secret key").unpack(packed, group, channel="all") is None
    assert Codec(SECRET).unpack(b"whatever it is", group, channel="all") is None


async def test_the_room_is_not_heard_any_more_once_everybody_has_left(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    for _ in range(2):
        await second.bus.attend(room.id)
    second.bus.leave(room.id)
    assert second.bus.hearing(room.id)
    second.bus.leave(room.id)
    await until(_is_deaf(second, room.id))
    assert isinstance(second.bus, ValkeyBus)
    first_ear = Ear(second)
    await say(first, room, ann, "to nobody there")
    await until(lambda: bool(first_ear.all(RoomsStirred)))
    assert first_ear.all(MessagePosted) == []


async def test_a_second_node_of_one_name_is_turned_away_and_disturbs_nobody(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    member = await first.memberships.require(room.id, visitor_id=ann.id)
    await first.presence.enter(member, screen="one")
    await until(lambda: second.presence.list_present(room.id) == {member.author})
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    twin = Chat(make_settings(tmp_path / "twin", node_id="n1", **shared), clock=clock)

    async def talk(event: Event) -> None:  # it may say more than one thing before others answer
        if isinstance(event, RollTold):
            second.bus.send(RollTold("n2", None))

    second.bus.subscribe(talk)
    first.bus._listeners.insert(0, _hesitate)
    with pytest.raises(StartError, match=r"^ANONCHAT_NODE_ID: .+ n1$"):
        await twin.start()
    await twin.stop()
    ear = Ear(second)
    await first.rooms.create("hall", visitor_id=ann.id)
    await until(lambda: bool(ear.all(RoomOpened)))
    assert second.presence.list_present(room.id) == {member.author}


async def test_a_node_that_was_killed_starts_at_once_under_its_own_name(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, second = nodes
    room, _ = await gather_in(first, "night train", "Ann")
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    third = Chat(make_settings(tmp_path / "n3", node_id="n3", **shared), clock=clock)
    await third.start()
    await crash(third)
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        assert third.lobby.glance(room.id)
        assert not second.presence.list_present(room.id)


async def test_a_valkey_that_lets_go_of_keys_is_found_and_told_of(
    nodes: Nodes, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = nodes
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    bus = {each.part: each async for each in look_round(first.settings)}["bus"]
    assert bus.well
    assert first._valkey
    await first._valkey.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared):
        assert "maxmemory-policy is allkeys-lru" in caplog.text
    bus = {each.part: each async for each in look_round(first.settings)}["bus"]
    assert not bus.well
    assert "allkeys-lru" in bus.says


async def test_a_row_that_nobody_can_open_stops_those_who_read_on_for_a_while_only(
    nodes: Nodes, server: Redis, clock: FakeClock
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"visitor {ann.id}") is not None)
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    await say(second, room, ann, "its key is here alone")
    await say(first, room, ann, "said after it")

    async def read_on() -> list[str]:
        history = await first.messages.history(room.id, visitor_id=ann.id, after=0, limit=9)
        return [message.text for message in history]

    assert await read_on() == []
    clock.move(10 * MINUTE)
    assert await read_on() == ["said after it"]
    server.start()


@pytest.mark.parametrize("lacking", ["visitor", "room"])
async def test_join_without_a_key_of_another_node_asks_to_try_again(
    nodes: Nodes, server: Redis, lacking: str
) -> None:
    first, second = nodes
    ann, ben = [await come_in(first, nickname) for nickname in ("Ann", "Ben")]
    await until(lambda: second._keys.get(f"visitor {ben.id}") is not None)
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    if lacking == "visitor":
        room = await second.rooms.create("night train", visitor_id=ben.id)
        joiner = await come_in(first, "Cid")
    else:
        room = await first.rooms.create("night train", visitor_id=ann.id)
        joiner = ben
    for _ in range(2):  # who is a member already is answered in the same way
        with pytest.raises(Unavailable):
            await second.memberships.join(room.id, visitor_id=joiner.id)
    ear = Ear(second)
    server.start()
    await until(lambda: bool(ear.all(NewsMissed)))
    await until(lambda: second._keys.get(f"visitor {joiner.id}") is not None)
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    member = await second.memberships.join(room.id, visitor_id=joiner.id)
    assert member.nickname == joiner.nickname


async def test_room_whose_key_only_another_node_has_is_not_said_to_be_gone(
    nodes: Nodes, server: Redis
) -> None:
    first, second = nodes
    ann, ben = [await come_in(first, nickname) for nickname in ("Ann", "Ben")]
    await until(lambda: second._keys.get(f"visitor {ben.id}") is not None)
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    room = await first.rooms.create("night train", visitor_id=ann.id)
    asked = (
        second.rooms.find(room.slug),
        second.rooms.find_named("night train"),
        second.rooms.open("night train", visitor_id=ben.id),
        second.lobby.find(room.slug),
        second.rooms.burn(room.id, visitor_id=ann.id),
    )
    for question in asked:
        with pytest.raises(Unavailable):
            await question
    with pytest.raises((RoomNameTaken, Unavailable)):
        await second.rooms.create("night train", visitor_id=ben.id)
    server.start()
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    assert (await second.rooms.open("night train", visitor_id=ben.id)).id == room.id


async def test_phrase_whose_visitor_only_another_node_can_open_asks_to_try_again(
    nodes: Nodes, server: Redis
) -> None:
    first, second = nodes
    await until(lambda: first.bus.is_up and second.bus.is_up)
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    ann, _ = await first.identity.come_in("Ann", phrase="correct horse")
    with pytest.raises(Unavailable):
        await second.identity.come_in("Ann", phrase="correct horse")
    server.start()
    await until(lambda: second._keys.get(f"visitor {ann.id}") is not None)
    again, _ = await second.identity.come_in("Ann", phrase="correct horse")
    assert again.id == ann.id


async def test_what_the_server_ceased_to_send_is_asked_for_again(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    bus = second.bus
    assert isinstance(bus, ValkeyBus)
    await bus.attend(room.id)
    assert bus._line
    ear = Ear(second)
    await bus._line.ask("UNSUBSCRIBE", f"anonchat:room:{room.id}")  # asked for before it was left
    await until(lambda: bool(ear.all(NewsMissed)))
    await say(first, room, ann, "hello")
    await until(lambda: bool(ear.all(MessagePosted)))


async def test_keys_that_come_and_go_in_a_gap_are_brought_round_after_it(
    nodes: Nodes, server: Redis
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    await first.rooms.burn(room.id, visitor_id=ann.id)
    other = await first.rooms.create("day train", visitor_id=ann.id)
    server.start()
    await until(lambda: second._keys.get(f"room {other.id}") is not None)
    await until(lambda: second._keys.get(f"room {room.id}") is None)
    assert first._keys.get(f"room {room.id}") is None
    assert isinstance(first._keys, SharedKeys)
    assert await first._keys._ask_for([f"visitor {ann.id}"]), "it had forgotten what it held"


async def test_what_could_not_be_read_for_want_of_a_key_is_news_once_the_key_comes(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    await first.bus.stop()
    await say(first, room, ann, "before its key")
    assert await read(second, room, ann) == []
    ear = Ear(second)
    await first.bus.start()
    assert isinstance(first._keys, SharedKeys)
    await first._keys.mend()
    await until(lambda: bool(ear.all(NewsMissed)))
    assert await read(second, room, ann) == ["before its key"]


async def test_a_key_that_comes_while_it_is_asked_for_is_not_missed(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    await first.bus.stop()
    message = await first.messages.post(room.id, visitor_id=ann.id, text="before its key")
    await first.bus.start()
    ask = second._keys.fetch

    async def ask_late(names: Collection[str]) -> None:
        assert isinstance(first._keys, SharedKeys)
        await first._keys.mend()
        await until(lambda: bool(second._keys.names_of_span(span_of(message.expires_at))))
        await ask(names)

    monkeypatch.setattr(second._keys, "fetch", ask_late)
    assert await read(second, room, ann) == ["before its key"]


async def test_a_valkey_that_forgets_between_two_questions_destroys_nothing(
    nodes: Nodes, server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, _ = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    assert isinstance(second._keys, SharedKeys)
    ask = second._keys._ask_for

    async def read_before_it_was_brought() -> dict[str, bytes]:
        return {}

    async def ask_after_it_has_forgotten(names: Collection[str]) -> dict[str, bytes]:
        server.forget()
        return await ask(names)

    monkeypatch.setattr(second._keys, "_read_all", read_before_it_was_brought)
    monkeypatch.setattr(second._keys, "_ask_for", ask_after_it_has_forgotten)
    await second._keys.join()
    assert second._keys.get(f"room {room.id}") is not None


async def test_a_node_that_was_not_told_learns_what_was_destroyed(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    await second.bus.stop()
    await first.rooms.burn(room.id, visitor_id=ann.id)
    assert isinstance(second._keys, SharedKeys)
    await second._keys.join()
    assert second._keys.get(f"room {room.id}") is None
    assert second._keys.get(f"visitor {ann.id}") is not None


async def test_what_a_node_began_to_delete_before_it_died_another_one_finishes(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await say(first, room, ann, "mine", "mine too")
    page = await first.messages.history(room.id, visitor_id=ann.id, limit=9)
    monkeypatch.setattr(first.messages, "_renew_span", _die)
    with pytest.raises(asyncio.CancelledError):
        await first.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
    assert await find_unsettled(first)
    await second.purge()
    span = span_of(page[0].expires_at)
    names = second._keys.names_of_span(span)
    assert {generation_of(name) for name in names} == {1}
    await until(lambda: first._keys.names_of_span(span) == names)
    assert await read(first, room, ann) == ["mine too"]


async def test_a_room_that_a_node_began_to_burn_before_it_died_another_one_ends(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    with monkeypatch.context() as trouble:
        trouble.setattr(first._keys, "destroy", _die)
        with pytest.raises(asyncio.CancelledError):
            await first.rooms.burn(room.id, visitor_id=ann.id)
    await second.purge()
    assert second._keys.get(f"room {room.id}") is None
    assert await execute(second, "SELECT count(*) FROM room") == [(0,)]


async def test_who_was_present_on_a_node_that_leaves_is_missed_before_it_falls_silent(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        member = await third.memberships.require(room.id, visitor_id=ann.id)
        await third.presence.enter(member, screen="one")
        await until(lambda: second.presence.list_present(room.id) == {member.author})
        now = second.presence._elapsed()
        second.presence._elapsed = lambda: now  # nobody is ever silent for long
    await until(lambda: not second.presence.list_present(room.id))


async def test_node_that_has_said_goodbye_answers_no_roll_call(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    member = await first.memberships.require(room.id, visitor_id=ann.id)
    await first.presence.enter(member, screen="one")
    await until(lambda: second.presence.list_present(room.id) == {member.author})
    first.presence.say_goodbye()
    await first.bus.tell(RollTold("n2", (), asks=True))
    ear = Ear(second)
    first.bus.send(VisitorForgotten("the last word"))
    await until(lambda: bool(ear.all(VisitorForgotten)))
    assert not second.presence.list_present(room.id)


async def test_start_of_a_node_destroys_no_key_of_a_row_that_another_is_just_adding(
    nodes: Nodes, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    third = Chat(make_settings(tmp_path / "n3", node_id="n3", **shared), clock=clock)
    await third.start()
    seal_visitor, is_restarted = first.identity._vault.seal_visitor, asyncio.Event()
    has_key = asyncio.Event()

    async def seal_and_wait(visitor_id: str, *, nickname: str, badge: str) -> bytes:
        sealed = await seal_visitor(visitor_id, nickname=nickname, badge=badge)
        await until(lambda: third._keys.get(f"visitor {visitor_id}") is not None)
        await third._keys.finish()
        has_key.set()
        await is_restarted.wait()
        return sealed

    monkeypatch.setattr(first.identity._vault, "seal_visitor", seal_and_wait)
    coming = asyncio.create_task(first.identity.come_in("Ann"))
    await has_key.wait()
    await crash(third)
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        is_restarted.set()
        ann, token = await coming
        await third.purge()
        for node in (first, second, third):
            recognised = await node.identity.recognise(token)
            assert recognised and recognised.nickname == "Ann"
        await third._keys.obtain("visitor of no row")
        clock.move(10 * MINUTE)
        await third.purge()
        assert third._keys.get(f"visitor {ann.id}") is not None


async def test_key_that_a_crash_has_left_without_a_row_goes_some_time_after_the_start(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, _ = nodes
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    third = Chat(make_settings(tmp_path / "n3", node_id="n3", **shared), clock=clock)
    await third.start()
    await third._keys.obtain("visitor of no row")
    await until(lambda: first._keys.get("visitor of no row") is not None)
    await crash(third)
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        await third.purge()
        assert third._keys.get("visitor of no row") is not None, "its row may still be coming"
        clock.move(10 * MINUTE)
        await third.purge()
        assert third._keys.get("visitor of no row") is None
        await until(lambda: first._keys.get("visitor of no row") is None)


async def test_catch_up_that_fails_while_another_succeeds_is_done_again(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = nodes
    assert isinstance(first._keys, SharedKeys)
    catch_up, may_go_on = first._keys._catch_up, asyncio.Event()
    began = 0

    async def catch_up_slowly_and_fail_the_second_time() -> bool:
        nonlocal began
        began += 1
        if began == 1:
            await may_go_on.wait()
        if began == 2:
            raise ValkeyLost
        return await catch_up()

    monkeypatch.setattr(first._keys, "_catch_up", catch_up_slowly_and_fail_the_second_time)
    missing = [asyncio.create_task(first.bus.tell(NewsMissed())) for _ in range(2)]
    await until(lambda: began >= 1)
    may_go_on.set()
    await asyncio.gather(*missing)
    await first._keys.mend()
    assert began == 3


async def _hesitate(event: Event) -> None:
    if isinstance(event, RollTold):
        await asyncio.sleep(0.2)


async def _die(*_: object) -> None:
    raise asyncio.CancelledError


def _is_deaf(node: Chat, room_id: str) -> Callable[[], bool]:
    return lambda: node.bus.hearing(room_id) is None
