"""Nodes receive the events of the other nodes, and detect gaps."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    BadgeChanged,
    ChallengeUnsolved,
    Chat,
    EventsLost,
    InvalidRoom,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesDeleted,
    RateLimited,
    Room,
    RoomChanged,
    RoomEnded,
    RoomNameTaken,
    RoomOpened,
    RoomStateChanged,
    StartupError,
    TooManyPhrases,
    TranscriptEnded,
    Typing,
    TypingChanged,
    Unavailable,
    VisitorTold,
    WrongPhrase,
)
from anonchat.bus import GroupKey, ValkeyBus
from anonchat.bus.client import ValkeyUnavailable
from anonchat.bus.codec import Codec, GroupKeyMismatch
from anonchat.cli.preflight import run_checks
from anonchat.events import (
    ChallengeRedeemed,
    Event,
    PresenceSnapshot,
    RoomActivity,
    VisitorForgotten,
)
from anonchat.security.key_names import key_generation, span_at
from anonchat.security.replicated_keystore import ReplicatedKeyStore
from anonchat.security.secret_phrase import make_legacy_key
from models import VisitorRow
from tests.core.test_proof_of_work import solve
from tests.fakes import (
    EventRecorder,
    FakeClock,
    crash,
    create_room_with_members,
    execute,
    find_decryptable_deleted_spans,
    make_settings,
    post_messages,
    read,
    running_chat,
    sign_in,
)
from tests.pages.tab import wait_until
from tests.servers.postgres import PostgresPool
from tools.servers.redis import Redis

SECRET = "shared by all nodes"

MINUTE = timedelta(minutes=1)

Nodes = tuple[Chat, Chat]


@pytest.fixture
async def nodes(
    postgres: PostgresPool, server: Redis, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Nodes]:
    """Return two nodes of one site, each with its own data folder."""
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
    postgres.release_all()


async def test_name_closed_on_one_node_opens_no_room_on_another(
    nodes: Nodes, clock: FakeClock
) -> None:
    here, there = nodes
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    await here.room_deletion.close(room.id, until=clock() + MINUTE)
    with pytest.raises(InvalidRoom, match="closed for now"):
        await there.rooms.open("Night Train", visitor_id=ann.id)
    clock.advance(MINUTE)
    assert (await there.rooms.open("Night Train", visitor_id=ann.id)).slug == room.slug


async def test_visitor_removed_on_one_node_is_signed_out_on_another(nodes: Nodes) -> None:
    here, there = nodes
    _, token = await here.identity.sign_in("Ann")
    ann = await here.identity.authenticate(token)
    assert ann
    room = await here.rooms.open("night train", visitor_id=ann.id)
    await post_messages(here, room, ann, "one", "two")
    recorder = EventRecorder(here)
    found = await there.identity.find("ann")
    assert found.id == ann.id
    assert await there.identity.forget(found.id) == 2
    await wait_until(lambda: VisitorForgotten(ann.id) in recorder.events)
    assert await here.identity.authenticate(token) is None


async def test_node_receives_the_events_of_another_node(nodes: Nodes) -> None:
    first, second = nodes
    recorder = EventRecorder(second)
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: bool(recorder.of_type(MemberJoined)))
    assert recorder.of_type(RoomOpened) == [RoomOpened(room)]
    assert (await second.room_directory.find(room.slug)).name == "night train"
    await second.bus.subscribe_room(room.id)
    await post_messages(first, room, ann, "hello")
    await wait_until(lambda: bool(recorder.of_type(MessagePosted)))
    assert recorder.of_type(MessagePosted)[0].message.text == "hello"
    assert await read(second, room, ann) == ["hello"]
    await first.room_deletion.burn(room.id, visitor_id=ann.id)
    await wait_until(lambda: bool(recorder.of_type(RoomEnded)))
    assert second._keys.get(f"room {room.id}") is None
    await wait_until(lambda: not second.room_directory.summary(room.id))


async def test_typing_on_one_node_is_shown_on_another_until_the_message(
    nodes: Nodes, clock: FakeClock
) -> None:
    here, there = nodes
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    author = (await here.memberships.require(room.id, visitor_id=ann.id)).author
    await there.bus.subscribe_room(room.id)
    recorder = EventRecorder(there)
    await here.typing.signal(room.id, visitor_id=ann.id)
    await wait_until(lambda: bool(recorder.of_type(TypingChanged)))
    assert recorder.of_type(TypingChanged) == [TypingChanged(room.id, Typing((author,)))]
    await post_messages(here, room, ann, "hello")
    await wait_until(lambda: len(recorder.of_type(TypingChanged)) == 2)
    assert there.typing.get(room.id) == Typing()
    await here.typing.signal(room.id, visitor_id=ann.id)
    await wait_until(lambda: len(recorder.of_type(TypingChanged)) == 3)
    clock.advance(timedelta(seconds=6))
    await wait_until(lambda: len(recorder.of_type(TypingChanged)) == 4)


async def test_transcript_needs_and_gets_the_consent_of_those_on_another_node(
    nodes: Nodes,
) -> None:
    here, there = nodes
    room, (ann, ben, mira) = await create_room_with_members(
        here, "night train", "Ann", "Ben", "Mira"
    )
    await post_messages(here, room, mira, "hello")
    for visitor in (ben, mira):
        member = await there.memberships.require(room.id, visitor_id=visitor.id)
        await there.presence.enter(member, page_id=visitor.id)
    await wait_until(lambda: len(here.presence.list_present(room.id)) == 2)
    recorder = EventRecorder(there)
    question = await here.transcripts.ask(room.id, visitor_id=ann.id)
    await wait_until(lambda: there.transcripts.find_question(room.id) == question)
    for visitor in (ben, mira):
        assert not recorder.of_type(TranscriptEnded)
        await there.transcripts.answer(
            room.id, visitor_id=visitor.id, question_id=question.id, agrees=True
        )
    await wait_until(lambda: bool(recorder.of_type(TranscriptEnded)))
    file = await there.transcripts.save(
        room, visitor_id=ann.id, question_id=question.id, format="text"
    )
    assert file.content.decode().endswith("Mira: hello\n")


async def test_change_of_a_room_on_one_node_is_known_on_another(nodes: Nodes) -> None:
    here, there = nodes
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    await wait_until(lambda: there.room_directory.summary(room.id) is not None)
    recorder = EventRecorder(there)
    changed = await here.room_editor.update(
        room.id, visitor_id=ann.id, name="Day Train", topic="home", message_ttl=MINUTE
    )
    await wait_until(lambda: bool(recorder.of_type(RoomChanged)))
    assert recorder.of_type(RoomChanged) == [RoomChanged(changed)]
    assert _known_room(there, room.id) == changed
    assert await there.rooms.find_by_name("Day Train") == changed
    assert await there.rooms.find(room.slug) == changed
    message = await there.messages.post(room.id, visitor_id=ann.id, text="hello")
    assert message.expires_at - message.posted_at == MINUTE
    changed = await there.room_editor.update(room.id, visitor_id=ann.id, topic="back")
    await wait_until(lambda: _known_room(here, room.id).topic == "back")
    assert _known_room(here, room.id).name == "Day Train"
    ((current,),) = await execute(here, "SELECT texts_key_id FROM room")
    await wait_until(lambda: all(_texts_keys(node) == [f"texts {current}"] for node in nodes))


async def test_rules_of_a_room_on_one_node_are_known_on_another(nodes: Nodes) -> None:
    here, there = nodes
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    await wait_until(lambda: there.room_directory.summary(room.id) is not None)
    await there.bus.subscribe_room(room.id)
    changed = await here.room_editor.update(
        room.id, visitor_id=ann.id, listed=False, slow_mode=MINUTE, unwanted=["casino"]
    )
    await wait_until(lambda: _known_room(there, room.id).revision == 1)
    assert _known_room(there, room.id) == changed
    assert there.room_directory.count() == (0, 0)
    recorder = EventRecorder(there)
    await post_messages(here, room, ann, "hello")
    await wait_until(
        lambda: bool(recorder.of_type(MessagePosted) and recorder.of_type(RoomActivity))
    )
    assert recorder.of_type(MessagePosted)[0].room.rules == changed.rules
    assert _known_room(there, room.id).rules == changed.rules
    assert not _known_room(there, room.id).listed


async def test_each_event_reaches_a_listener_of_published_events_on_one_node(
    nodes: Nodes,
) -> None:
    published: tuple[list[Event], list[Event]] = [], []
    for node, events in zip(nodes, published, strict=True):

        async def record(event: Event, events: list[Event] = events) -> None:
            events.append(event)

        node.bus.subscribe_published(record)
    first, second = nodes
    recorder = EventRecorder(second)
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await second.bus.subscribe_room(room.id)
    await post_messages(first, room, ann, "hello")
    await wait_until(lambda: len(recorder.of_type(MessagePosted)) == 1)
    await second.memberships.leave(room.id, visitor_id=ann.id)
    counts = [Counter(type(event) for event in events) for events in published]
    assert counts[0][MessagePosted] == counts[0][MemberJoined] == 1
    assert counts[1] == {MemberLeft: 1}


async def test_text_told_to_a_visitor_arrives_on_the_other_nodes(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    recorder = EventRecorder(second)
    told = VisitorTold(room.id, ann.id, "Only you can read this. 🤫")
    await first.bus.publish(told)
    await wait_until(lambda: recorder.of_type(VisitorTold) == [told])


async def test_change_of_a_room_state_on_one_node_is_read_on_another(nodes: Nodes) -> None:
    here, there = nodes
    room, _ = await create_room_with_members(here, "night train", "Ann")
    await there.bus.subscribe_room(room.id)
    recorder = EventRecorder(there)
    assert await there.room_states.read(room.id, "poll") == {}
    for number in range(1, 4):
        await here.room_states.change(
            room.id, "poll", lambda state, number=number: state.update(votes=number)
        )
        await wait_until(lambda number=number: len(recorder.of_type(RoomStateChanged)) == number)
        assert await there.room_states.read(room.id, "poll") == {"votes": number}


async def test_room_state_is_read_anew_by_a_node_that_is_not_subscribed(nodes: Nodes) -> None:
    here, there = nodes
    room, _ = await create_room_with_members(here, "night train", "Ann")
    assert await there.room_states.read(room.id, "poll") == {}
    await here.room_states.change(room.id, "poll", lambda state: state.update(votes=1))
    assert await there.room_states.read(room.id, "poll") == {"votes": 1}


async def test_change_of_a_room_missed_by_a_node_is_read_from_the_database(
    nodes: Nodes, server: Redis
) -> None:
    here, there = nodes
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    await wait_until(lambda: there.room_directory.summary(room.id) is not None)
    server.kill()
    await wait_until(lambda: not here.bus.is_up and not there.bus.is_up)
    changed = await here.room_editor.update(room.id, visitor_id=ann.id, name="Day Train")
    with pytest.raises(Unavailable):
        await there.rooms.find(room.slug)
    with pytest.raises(Unavailable):
        await there.room_editor.update(room.id, visitor_id=ann.id, topic="home")
    await server.start()
    await wait_until(lambda: _known_room(there, room.id) == changed)
    assert await there.rooms.find(room.slug) == changed


def _known_room(node: Chat, room_id: str) -> Room:
    summary = node.room_directory.summary(room_id)
    assert summary
    return summary.room


def _texts_keys(node: Chat) -> list[str]:
    return [name for name in node._keys.names() if name.startswith("texts")]


async def test_node_receives_only_activity_of_rooms_it_is_not_subscribed_to(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    recorder = EventRecorder(second)
    await post_messages(first, room, ann, "hello")
    await wait_until(lambda: bool(recorder.of_type(RoomActivity)))
    assert recorder.of_type(MessagePosted) == []
    assert [each.last_seq for each in recorder.of_type(RoomActivity)[-1].rooms] == [1]
    summary = second.room_directory.summary(room.id)
    assert summary and summary.room.last_seq == 1


async def test_token_is_valid_on_all_nodes_until_its_visitor_is_forgotten(
    nodes: Nodes,
) -> None:
    first, second = nodes
    visitor, token = await first.identity.sign_in("Ann")
    assert await second.identity.authenticate(token)
    recorder = EventRecorder(second)
    await first.identity.forget(visitor.id)
    await wait_until(lambda: bool(recorder.of_type(VisitorForgotten)))
    assert await second.identity.authenticate(token) is None


async def test_deletion_on_one_node_destroys_the_message_keys_of_both_nodes(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann, bob) = await create_room_with_members(first, "night train", "Ann", "Bob")
    await post_messages(first, room, ann, "mine")
    await post_messages(second, room, bob, "yours")
    page = await first.messages.history(room.id, visitor_id=ann.id, limit=9)
    span = span_at(page[0].expires_at)
    before = {*first._keys.span_key_names(span), *second._keys.span_key_names(span)}
    assert before == {f"span {span} 0 n1", f"span {span} 0 n2"}
    recorder = EventRecorder(second)
    await first.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
    after = [f"span {span} 1 n1"]
    await wait_until(lambda: second._keys.span_key_names(span) == after)
    assert first._keys.span_key_names(span) == after
    await wait_until(
        lambda: bool(recorder.of_type(RoomActivity) or recorder.of_type(MessagesDeleted))
    )
    assert await read(first, room, ann) == await read(second, room, bob) == ["yours"]


async def test_presence_is_shared_until_the_node_of_the_member_times_out(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    member = await first.memberships.require(room.id, visitor_id=ann.id)
    await first.presence.enter(member, page_id="one")
    await wait_until(lambda: second.presence.list_present(room.id) == {member.author})
    await first.bus.stop()
    second.presence._elapsed = lambda: 1e9
    await wait_until(lambda: not second.presence.list_present(room.id))


async def test_rate_limit_usage_is_shared_between_nodes(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await post_messages(first, room, ann, *"abcdef")
    full_at = second.limits.posts._full_at
    await wait_until(lambda: any(full - second.clock() >= MINUTE for full in full_at.values()))
    with pytest.raises(RateLimited):
        await post_messages(second, room, ann, "one too many")


async def test_challenge_of_one_node_can_be_redeemed_once_on_any_node(
    nodes: Nodes,
) -> None:
    first, second = nodes
    for node in nodes:
        node.proof_of_work.bits = 6
    recorder = EventRecorder(first)
    solution = solve(first.proof_of_work.new_challenge(), bits=6)
    await second.identity.sign_in("Ann", solution=solution)
    await wait_until(lambda: bool(recorder.of_type(ChallengeRedeemed)))
    for node in nodes:
        with pytest.raises(ChallengeUnsolved):
            await node.identity.sign_in("Ben", solution=solution)


async def test_wrong_phrases_of_all_nodes_are_counted_together(nodes: Nodes) -> None:
    first, second = nodes
    await first.identity.sign_in("Ann", phrase="correct horse battery")
    for node, times in ((first, 3), (second, 2)):
        for _ in range(times):
            with pytest.raises(WrongPhrase):
                await node.identity.sign_in("Ann", phrase="wrong horse battery")
    for node in nodes:
        timestamps = node.limits.wrong_phrases._timestamps
        await wait_until(
            lambda timestamps=timestamps: [len(each) for each in timestamps.values()] == [5]
        )
        with pytest.raises(TooManyPhrases):
            await node.identity.sign_in("Ann", phrase="correct horse battery")


async def test_badge_change_on_one_node_is_visible_on_the_other(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann, bob) = await create_room_with_members(first, "night train", "Ann", "Bob")
    await second.memberships.list_members(room.id, visitor_id=bob.id)
    async with first._database.transaction() as session:
        row = await session.get(VisitorRow, ann.id)
        assert row
        row.phrase_key = make_legacy_key(first.hasher, "correct horse battery")
    recorder = EventRecorder(second)
    returning, _ = await first.identity.sign_in("Ann", phrase="correct horse battery")
    await wait_until(lambda: bool(recorder.of_type(BadgeChanged)))
    members = await second.memberships.list_members(room.id, visitor_id=bob.id)
    assert {member.badge for member in members} == {"", returning.badge}


async def test_token_is_valid_and_revoked_on_all_nodes(nodes: Nodes) -> None:
    first, second = nodes
    _, token = await first.identity.sign_in("Ann")
    for node in nodes:
        assert await node.identity.authenticate(token)
    await first.identity.sign_out(token)
    await wait_until(lambda: not second.identity._token_cache)
    for node in nodes:
        assert await node.identity.authenticate(token) is None


async def test_failed_sign_in_is_repeated_on_another_node(nodes: Nodes) -> None:
    first, second = nodes
    await first.identity.sign_in("Ann", attempt="secret")
    visitor, token = await second.identity.sign_in("Ann", attempt="secret")
    for node in nodes:
        known = await node.identity.authenticate(token)
        assert known
        assert known.id == visitor.id


@pytest.mark.parametrize("fault", ["killed", "paused"])
async def test_gap_is_detected_and_its_messages_are_read_afterwards(
    nodes: Nodes, server: Redis, fault: str
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await second.bus.subscribe_room(room.id)
    epoch = second.bus.room_epoch(room.id)
    assert epoch
    assert await read(second, room, ann) == []
    if fault == "killed":
        server.kill()
    else:
        server.pause()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    assert second.bus.room_epoch(room.id) is None
    await post_messages(first, room, ann, "into the silence")
    recorders = EventRecorder(first), EventRecorder(second)
    if fault == "killed":
        await server.start()
    else:
        server.resume()
    await wait_until(lambda: all(recorder.of_type(EventsLost) for recorder in recorders))
    await wait_until(lambda: second.bus.room_epoch(room.id) not in (None, epoch))
    await wait_until(
        lambda: bool(second._keys.span_key_names(span_at(first.clock() + room.message_ttl)))
    )
    assert await read(second, room, ann) == ["into the silence"]


async def test_node_that_joins_later_reads_existing_rooms_and_messages(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, _ = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await post_messages(first, room, ann, "before you came")
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
        assert third.room_directory.summary(room.id)


async def test_node_with_another_secret_key_fails_to_start(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, _ = nodes
    await sign_in(first, "Ann")
    node = Chat(
        make_settings(
            tmp_path / "n4",
            database_url=first.settings.database_url,
            bus_url=first.settings.bus_url,
            secret_key="another secret key",
        ),
        clock=clock,
    )
    with pytest.raises(StartupError, match="ANONCHAT_SECRET_KEY differs from that of the other"):
        await node.start()
    await node.stop()


def test_event_packet_is_unreadable_without_the_group_key() -> None:
    event = VisitorForgotten("somebody")
    group, other = GroupKey("a" * 16, bytes(32)), GroupKey("b" * 16, bytes(32))
    packed = Codec(SECRET).encode(event, group, channel="all")
    assert b"somebody" not in packed
    assert Codec(SECRET).decode(packed, group, channel="all") == event
    assert Codec(SECRET).decode(packed, group, channel="another") is None
    assert Codec(SECRET).decode(packed, GroupKey("a" * 16, b"x" * 32), channel="all") is None
    with pytest.raises(GroupKeyMismatch):
        Codec(SECRET).decode(packed, other, channel="all")
    assert Codec("another secret key").decode(packed, group, channel="all") is None
    assert Codec(SECRET).decode(b"whatever it is", group, channel="all") is None


async def test_room_is_unsubscribed_after_its_last_subscriber_leaves(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    for _ in range(2):
        await second.bus.subscribe_room(room.id)
    second.bus.unsubscribe_room(room.id)
    assert second.bus.room_epoch(room.id)
    second.bus.unsubscribe_room(room.id)
    await wait_until(_is_unsubscribed(second, room.id))
    assert isinstance(second.bus, ValkeyBus)
    recorder = EventRecorder(second)
    await post_messages(first, room, ann, "to nobody there")
    await wait_until(lambda: bool(recorder.of_type(RoomActivity)))
    assert recorder.of_type(MessagePosted) == []


async def test_second_node_with_the_same_id_fails_to_start_and_changes_nothing(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    member = await first.memberships.require(room.id, visitor_id=ann.id)
    await first.presence.enter(member, page_id="one")
    await wait_until(lambda: second.presence.list_present(room.id) == {member.author})
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    duplicate = Chat(make_settings(tmp_path / "duplicate", node_id="n1", **shared), clock=clock)

    async def answer(event: Event) -> None:  # sends one more packet before the first node answers
        if isinstance(event, PresenceSnapshot):
            second.bus.publish_remote(PresenceSnapshot("n2", None))

    second.bus.subscribe(answer)
    first.bus._listeners.insert(0, _delay)
    with pytest.raises(StartupError, match=r"^ANONCHAT_NODE_ID: .+ n1$"):
        await duplicate.start()
    await duplicate.stop()
    recorder = EventRecorder(second)
    await first.rooms.create("hall", visitor_id=ann.id)
    await wait_until(lambda: bool(recorder.of_type(RoomOpened)))
    assert second.presence.list_present(room.id) == {member.author}


async def test_killed_node_restarts_at_once_with_the_same_id(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, second = nodes
    room, _ = await create_room_with_members(first, "night train", "Ann")
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    third = Chat(make_settings(tmp_path / "n3", node_id="n3", **shared), clock=clock)
    await third.start()
    await crash(third)
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        assert third.room_directory.summary(room.id)
        assert not second.presence.list_present(room.id)


async def test_valkey_with_an_eviction_policy_is_reported(
    nodes: Nodes, tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = nodes
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    bus = {each.part: each async for each in run_checks(first.settings)}["bus"]
    assert bus.well
    assert first._valkey
    await first._valkey.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared):
        assert "maxmemory-policy is allkeys-lru" in caplog.text
    bus = {each.part: each async for each in run_checks(first.settings)}["bus"]
    assert not bus.well
    assert "allkeys-lru" in bus.says


async def test_row_without_a_key_blocks_later_messages_for_a_limited_time(
    nodes: Nodes, server: Redis, clock: FakeClock
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"visitor {ann.id}") is not None)
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    await post_messages(second, room, ann, "its key is here alone")
    await post_messages(first, room, ann, "said after it")

    async def read_new() -> list[str]:
        history = await first.messages.history(room.id, visitor_id=ann.id, after=0, limit=9)
        return [message.text for message in history]

    assert await read_new() == []
    clock.advance(10 * MINUTE)
    assert await read_new() == ["said after it"]
    await server.start()


@pytest.mark.parametrize("missing_key", ["visitor", "room"])
async def test_join_without_a_key_of_another_node_is_unavailable(
    nodes: Nodes, server: Redis, missing_key: str
) -> None:
    first, second = nodes
    ann, ben = [await sign_in(first, nickname) for nickname in ("Ann", "Ben")]
    await wait_until(lambda: second._keys.get(f"visitor {ben.id}") is not None)
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    if missing_key == "visitor":
        room = await second.rooms.create("night train", visitor_id=ben.id)
        visitor = await sign_in(first, "Cid")
    else:
        room = await first.rooms.create("night train", visitor_id=ann.id)
        visitor = ben
    for _ in range(2):  # the first call may have stored the membership
        with pytest.raises(Unavailable):
            await second.memberships.join(room.id, visitor_id=visitor.id)
    recorder = EventRecorder(second)
    await server.start()
    await wait_until(lambda: bool(recorder.of_type(EventsLost)))
    await wait_until(lambda: second._keys.get(f"visitor {visitor.id}") is not None)
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    member = await second.memberships.join(room.id, visitor_id=visitor.id)
    assert member.nickname == visitor.nickname


async def test_room_whose_key_only_another_node_has_is_unavailable_not_missing(
    nodes: Nodes, server: Redis
) -> None:
    first, second = nodes
    ann, ben = [await sign_in(first, nickname) for nickname in ("Ann", "Ben")]
    await wait_until(lambda: second._keys.get(f"visitor {ben.id}") is not None)
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    room = await first.rooms.create("night train", visitor_id=ann.id)
    calls = (
        second.rooms.find(room.slug),
        second.rooms.find_by_name("night train"),
        second.rooms.open("night train", visitor_id=ben.id),
        second.room_directory.find(room.slug),
        second.room_deletion.burn(room.id, visitor_id=ann.id),
    )
    for call in calls:
        with pytest.raises(Unavailable):
            await call
    with pytest.raises((RoomNameTaken, Unavailable)):
        await second.rooms.create("night train", visitor_id=ben.id)
    await server.start()
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    assert (await second.rooms.open("night train", visitor_id=ben.id)).id == room.id


async def test_sign_in_to_visitor_whose_key_only_another_node_has_is_unavailable(
    nodes: Nodes, server: Redis
) -> None:
    first, second = nodes
    await wait_until(lambda: first.bus.is_up and second.bus.is_up)
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    ann, _ = await first.identity.sign_in("Ann", phrase="correct horse")
    with pytest.raises(Unavailable):
        await second.identity.sign_in("Ann", phrase="correct horse")
    await server.start()
    await wait_until(lambda: second._keys.get(f"visitor {ann.id}") is not None)
    again, _ = await second.identity.sign_in("Ann", phrase="correct horse")
    assert again.id == ann.id


async def test_lost_room_subscription_is_renewed(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    bus = second.bus
    assert isinstance(bus, ValkeyBus)
    await bus.subscribe_room(room.id)
    connection = bus._subscriptions.connection
    assert connection
    recorder = EventRecorder(second)
    # Simulates an UNSUBSCRIBE from before the subscription.
    await connection.send_command("UNSUBSCRIBE", f"anonchat:room:{room.id}")
    await wait_until(lambda: bool(recorder.of_type(EventsLost)))
    await post_messages(first, room, ann, "hello")
    await wait_until(lambda: bool(recorder.of_type(MessagePosted)))


async def test_key_changes_during_a_gap_are_synchronized_afterwards(
    nodes: Nodes, server: Redis
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    await first.room_deletion.burn(room.id, visitor_id=ann.id)
    other = await first.rooms.create("day train", visitor_id=ann.id)
    await server.start()
    await wait_until(lambda: second._keys.get(f"room {other.id}") is not None)
    await wait_until(lambda: second._keys.get(f"room {room.id}") is None)
    assert first._keys.get(f"room {room.id}") is None
    assert isinstance(first._keys, ReplicatedKeyStore)
    assert await first._keys._copies.read([f"visitor {ann.id}"]), (
        "the node must have restored its keys in Valkey"
    )


async def test_events_lost_is_published_when_a_missing_key_arrives(
    nodes: Nodes,
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    await first.bus.stop()
    await post_messages(first, room, ann, "before its key")
    assert await read(second, room, ann) == []
    recorder = EventRecorder(second)
    await first.bus.start()
    assert isinstance(first._keys, ReplicatedKeyStore)
    await first._keys.reconcile()
    await wait_until(lambda: bool(recorder.of_type(EventsLost)))
    assert await read(second, room, ann) == ["before its key"]


async def test_key_that_arrives_during_its_fetch_is_used(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    await first.bus.stop()
    message = await first.messages.post(room.id, visitor_id=ann.id, text="before its key")
    await first.bus.start()
    fetch = second._keys.fetch

    async def fetch_late(names: Collection[str]) -> None:
        assert isinstance(first._keys, ReplicatedKeyStore)
        await first._keys.reconcile()
        await wait_until(lambda: bool(second._keys.span_key_names(span_at(message.expires_at))))
        await fetch(names)

    monkeypatch.setattr(second._keys, "fetch", fetch_late)
    assert await read(second, room, ann) == ["before its key"]


async def test_valkey_data_loss_during_sync_destroys_no_key(
    nodes: Nodes, server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, _ = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    assert isinstance(second._keys, ReplicatedKeyStore)
    copies = second._keys._copies
    read_keys = copies.read

    async def read_before_the_upload() -> dict[str, bytes]:
        return {}

    async def read_after_data_loss(names: Collection[str]) -> dict[str, bytes]:
        await server.clear()
        return await read_keys(names)

    monkeypatch.setattr(copies, "read_all", read_before_the_upload)
    monkeypatch.setattr(copies, "read", read_after_data_loss)
    await second._keys.sync()
    assert second._keys.get(f"room {room.id}") is not None


async def test_sync_removes_keys_destroyed_while_the_bus_was_stopped(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    await second.bus.stop()
    await first.room_deletion.burn(room.id, visitor_id=ann.id)
    assert isinstance(second._keys, ReplicatedKeyStore)
    await second._keys.sync()
    assert second._keys.get(f"room {room.id}") is None
    assert second._keys.get(f"visitor {ann.id}") is not None


async def test_deletion_interrupted_by_a_crash_is_finished_by_another_node(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await post_messages(first, room, ann, "mine", "mine too")
    page = await first.messages.history(room.id, visitor_id=ann.id, limit=9)
    monkeypatch.setattr(first.messages, "_rotate_span_keys", _crash)
    with pytest.raises(asyncio.CancelledError):
        await first.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
    assert await find_decryptable_deleted_spans(first)
    await second.purge()
    span = span_at(page[0].expires_at)
    names = second._keys.span_key_names(span)
    assert {key_generation(name) for name in names} == {1}
    await wait_until(lambda: first._keys.span_key_names(span) == names)
    assert await read(first, room, ann) == ["mine too"]


async def test_burn_interrupted_by_a_crash_is_finished_by_another_node(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    with monkeypatch.context() as patch:
        patch.setattr(first._keys, "destroy", _crash)
        with pytest.raises(asyncio.CancelledError):
            await first.room_deletion.burn(room.id, visitor_id=ann.id)
    await second.purge()
    assert second._keys.get(f"room {room.id}") is None
    assert await execute(second, "SELECT count(*) FROM room") == [(0,)]


async def test_presence_on_a_stopped_node_ends_before_the_timeout(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        member = await third.memberships.require(room.id, visitor_id=ann.id)
        await third.presence.enter(member, page_id="one")
        await wait_until(lambda: second.presence.list_present(room.id) == {member.author})
        now = second.presence._elapsed()
        second.presence._elapsed = lambda: now  # the presence timeout is never reached
    await wait_until(lambda: not second.presence.list_present(room.id))


async def test_node_that_announced_its_stop_sends_no_presence_snapshot(nodes: Nodes) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    member = await first.memberships.require(room.id, visitor_id=ann.id)
    await first.presence.enter(member, page_id="one")
    await wait_until(lambda: second.presence.list_present(room.id) == {member.author})
    first.presence.announce_shutdown()
    await first.bus.publish_local(PresenceSnapshot("n2", (), asks=True))
    recorder = EventRecorder(second)
    first.bus.publish_remote(VisitorForgotten("the last word"))
    await wait_until(lambda: bool(recorder.of_type(VisitorForgotten)))
    assert not second.presence.list_present(room.id)


async def test_node_start_keeps_keys_of_rows_that_another_node_is_adding(
    nodes: Nodes, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    third = Chat(make_settings(tmp_path / "n3", node_id="n3", **shared), clock=clock)
    await third.start()
    encrypt_visitor, is_restarted = first.identity._cipher.encrypt_visitor, asyncio.Event()
    has_key = asyncio.Event()

    async def encrypt_and_wait(visitor_id: str, *, nickname: str, badge: str) -> bytes:
        encrypted = await encrypt_visitor(visitor_id, nickname=nickname, badge=badge)
        await wait_until(lambda: third._keys.get(f"visitor {visitor_id}") is not None)
        await third._keys.flush()
        has_key.set()
        await is_restarted.wait()
        return encrypted

    monkeypatch.setattr(first.identity._cipher, "encrypt_visitor", encrypt_and_wait)
    signing_in = asyncio.create_task(first.identity.sign_in("Ann"))
    await has_key.wait()
    await crash(third)
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        is_restarted.set()
        ann, token = await signing_in
        await third.purge()
        for node in (first, second, third):
            authenticated = await node.identity.authenticate(token)
            assert authenticated and authenticated.nickname == "Ann"
        await third._keys.get_or_create("visitor of no row")
        clock.advance(10 * MINUTE)
        await third.purge()
        assert third._keys.get(f"visitor {ann.id}") is not None


async def test_key_left_without_a_row_is_destroyed_some_time_after_the_start(
    nodes: Nodes, tmp_path: Path, clock: FakeClock
) -> None:
    first, _ = nodes
    shared = first.settings.model_dump(include={"database_url", "bus_url", "secret_key"})
    third = Chat(make_settings(tmp_path / "n3", node_id="n3", **shared), clock=clock)
    await third.start()
    await third._keys.get_or_create("visitor of no row")
    await wait_until(lambda: first._keys.get("visitor of no row") is not None)
    await crash(third)
    async with running_chat(tmp_path / "n3", clock, node_id="n3", **shared) as third:
        await third.purge()
        assert third._keys.get("visitor of no row") is not None, "its row may still be added"
        clock.advance(10 * MINUTE)
        await third.purge()
        assert third._keys.get("visitor of no row") is None
        await wait_until(lambda: first._keys.get("visitor of no row") is None)


async def test_catch_up_that_fails_while_another_succeeds_is_retried(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = nodes
    assert isinstance(first._keys, ReplicatedKeyStore)
    catch_up, may_continue = first._keys._catch_up, asyncio.Event()
    started = 0

    async def catch_up_slowly_and_fail_once() -> bool:
        nonlocal started
        started += 1
        if started == 1:
            await may_continue.wait()
        if started == 2:
            raise ValkeyUnavailable
        return await catch_up()

    monkeypatch.setattr(first._keys, "_catch_up", catch_up_slowly_and_fail_once)
    publishing = [asyncio.create_task(first.bus.publish_local(EventsLost())) for _ in range(2)]
    await wait_until(lambda: started >= 1)
    may_continue.set()
    await asyncio.gather(*publishing)
    await first._keys.reconcile()
    assert started == 3


async def _delay(event: Event) -> None:
    if isinstance(event, PresenceSnapshot):
        await asyncio.sleep(0.2)


async def _crash(*_: object) -> None:
    raise asyncio.CancelledError


def _is_unsubscribed(node: Chat, room_id: str) -> Callable[[], bool]:
    return lambda: node.bus.room_epoch(room_id) is None
