"""Deleting a message or burning a room: immediate, permanent and without side effects."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlmodel import select

from anonchat import (
    Chat,
    MemberJoined,
    MessageExpired,
    MessagesDeleted,
    NotAllowed,
    NotAMember,
    NotFound,
    Post,
    RoomEnded,
    Unavailable,
)
from anonchat.events import Event
from anonchat.security.key_names import span_at
from models import MessageRow
from tests.effort import MOST, effort
from tests.fakes import (
    EventRecorder,
    FakeClock,
    crash,
    create_room_with_members,
    execute,
    find_decryptable_deleted_spans,
    post_messages,
    read,
    running_chat,
    sign_in,
)
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.usefixtures("either_place")


async def test_deletion_replaces_the_key_of_the_span(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    await post_messages(chat, room, ann, "one", "two")
    await post_messages(chat, room, ben, "three")
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)
    span = span_at(page[1].expires_at)
    (before,) = chat._keys.span_key_names(span)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[1].id)
    (after,) = chat._keys.span_key_names(span)
    assert (before, after) == tuple(chat._keys.own_span_key(span, number) for number in (0, 1))
    assert await read(chat, room, ben) == ["one", "three"]
    async with chat._database.read_session():
        chat.messages._history._pages.invalidate(room.id)
    assert await read(chat, room, ben) == ["one", "three"], "also without the cache"
    await post_messages(chat, room, ann, "four")
    assert await read(chat, room, ben) == ["one", "three", "four"]


async def test_data_of_other_messages_is_kept_when_the_key_of_the_span_is_replaced(
    chat: Chat,
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    roll = Post(kind="dice", data={"rolled": [4, 2], "by": "Ann"})
    deleted, kept = [
        await chat.messages.post(room.id, visitor_id=ann.id, post=roll) for _ in range(2)
    ]
    await chat.messages.flush()
    before = await execute(chat, f"SELECT sealed FROM message WHERE id = '{kept.id}'")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=deleted.id)
    after = await execute(chat, f"SELECT sealed FROM message WHERE id = '{kept.id}'")
    assert after != before
    chat.messages._history._pages.invalidate(room.id)
    assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [kept]
    assert kept.data == roll.data


async def test_edit_replaces_the_key_of_the_span_and_keeps_the_other_messages(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    await post_messages(chat, room, ann, "one", "two", "three")
    (second,) = (await chat.messages.history(room.id, visitor_id=ann.id, limit=2))[:1]
    span = span_at(second.expires_at)
    (before,) = chat._keys.span_key_names(span)
    await chat.messages.edit(room.id, visitor_id=ann.id, message_id=second.id, text="2")
    (after,) = chat._keys.span_key_names(span)
    assert before != after
    chat.messages._history._pages.invalidate(room.id)
    assert await read(chat, room, ben) == ["one", "2", "three"]


async def test_concurrent_deletions_delete_only_their_messages(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    await post_messages(chat, room, ann, *map(str, range(40)))
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=50)
    await asyncio.gather(
        *(
            chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
            for message in page[::2]
        ),
        post_messages(chat, room, ben, *map(str, range(100, 110))),
    )
    chat.messages._history._pages.invalidate(room.id)
    wanted = {str(number) for number in (*range(1, 40, 2), *range(100, 110))}
    assert set(await read(chat, room, ben)) == wanted
    assert await find_decryptable_deleted_spans(chat) == []


async def test_waiting_deletions_share_one_reencryption(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, *map(str, range(10)))
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)
    reencrypted: list[str] = []
    reencrypt = chat.key_rotation._cipher.reencrypt_messages

    async def record(rows: Sequence[MessageRow], generation: int) -> bool:
        reencrypted.extend(row.id for row in rows)
        return await reencrypt(rows, generation)

    monkeypatch.setattr(chat.key_rotation._cipher, "reencrypt_messages", record)
    async with chat.key_rotation._locks.hold(span_at(page[0].expires_at)):
        deleting = [
            asyncio.create_task(
                chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
            )
            for message in page[:8]
        ]
        recorder = EventRecorder(chat)
        while len(recorder.of_type(MessagesDeleted)) < 8:  # noqa: ASYNC110 - the recorder has no signal
            await asyncio.sleep(0)
    await asyncio.gather(*deleting)
    assert len(reencrypted) == 2, "the two remaining messages are reencrypted once, not eight times"


async def test_decryption_time_does_not_grow_with_key_generations(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    async with chat._database.read_session() as session:
        row = (await session.exec(select(MessageRow).where(MessageRow.id == message.id))).one()
    cipher, span = chat.key_rotation._cipher, span_at(message.expires_at)

    def decrypt() -> None:
        for _ in range(100):
            decrypted = cipher._decrypt(row)
            assert decrypted
            assert decrypted.texts[2] == message.text

    before = effort(decrypt, enough=MOST / 4)
    await chat._keys.get_or_create(*(chat._keys.own_span_key(span, each) for each in range(1, 100)))
    assert effort(decrypt, enough=MOST / 4) < 5 * before + MOST / 10


async def test_deletions_in_different_spans_do_not_wait_for_each_other(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    long = await chat.messages.post(room.id, visitor_id=ann.id, text="in a span with much in it")
    clock.advance(timedelta(minutes=1))
    short = await chat.messages.post(room.id, visitor_id=ben.id, text="in a span by itself")
    reencrypt, other_is_done = chat.key_rotation._reencrypt, asyncio.Event()

    async def delay_first_span(number: int, generation: int, pause: float) -> bool:
        if number == span_at(long.expires_at):
            await other_is_done.wait()
        return await reencrypt(number, generation, pause)

    monkeypatch.setattr(chat.key_rotation, "_reencrypt", delay_first_span)
    recorder = EventRecorder(chat)
    first = asyncio.create_task(
        chat.messages.delete(room.id, visitor_id=ann.id, message_id=long.id)
    )
    while not recorder.of_type(MessagesDeleted):  # noqa: ASYNC110 - the recorder has no signal
        await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE):  # a shared lock would deadlock
        await chat.messages.delete(room.id, visitor_id=ben.id, message_id=short.id)
    assert not first.done()
    assert await find_decryptable_deleted_spans(chat) == [span_at(long.expires_at)]
    other_is_done.set()
    await first
    assert await find_decryptable_deleted_spans(chat) == []
    assert not chat.key_rotation._locks.is_held(span_at(long.expires_at))


async def test_janitor_reencrypts_spans_that_are_not_locked(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    locked = await chat.messages.post(room.id, visitor_id=ann.id, text="in a locked span")
    clock.advance(timedelta(minutes=1))
    free = await chat.messages.post(room.id, visitor_id=ann.id, text="in a free span")

    async def refuse(*_: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(chat.key_rotation, "_reencrypt", refuse)
        for message in (locked, free):
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    async with chat.key_rotation._locks.hold(span_at(locked.expires_at)):
        async with asyncio.timeout(DEADLINE):  # the purge skips the locked span
            await chat.purge()
        assert await find_decryptable_deleted_spans(chat) == [span_at(locked.expires_at)]
    await chat.purge()
    assert await find_decryptable_deleted_spans(chat) == []


async def test_failed_reencryption_is_retried_at_the_next_purge(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one", "two")
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)

    async def refuse(*_: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(chat.key_rotation, "_reencrypt", refuse)
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
        assert await find_decryptable_deleted_spans(chat)
        chat.messages._history._pages.invalidate(room.id)
        assert await read(chat, room, ann) == ["two"], (
            "the older key decrypts what is not reencrypted yet"
        )
    await chat.purge()
    assert await find_decryptable_deleted_spans(chat) == []
    chat.messages._history._pages.invalidate(room.id)
    assert await read(chat, room, ann) == ["two"]


async def test_failed_deletion_keeps_the_message(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    (message,) = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(chat._keys._file, "write", refuse)
        with pytest.raises(Unavailable):
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert await read(chat, room, ann) == ["one"]


async def test_retry_of_a_deleted_message_is_refused_until_its_expiry(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    for _ in range(2):
        with pytest.raises(MessageExpired, match="come to its end"):
            await chat.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")
        await chat.expiry.purge()
    assert await read(chat, room, ben) == []
    await chat.messages.post(room.id, visitor_id=ben.id, text="mine", dedup_id="1")
    clock.advance(room.message_ttl)
    await chat.expiry.purge()
    assert (await chat.messages.post(room.id, visitor_id=ann.id, text="new", dedup_id="1")).seq == 3


async def test_retry_of_a_deleted_message_is_refused_after_a_restart(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    await crash(chat)
    async with running_chat(chat.settings.data_dir, clock) as again:
        with pytest.raises(MessageExpired):
            await again.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")


async def test_only_the_owner_may_burn_a_room_while_a_member(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    non_member = await sign_in(chat, "Cid")
    with pytest.raises(NotAllowed):
        await chat.room_deletion.burn(room.id, visitor_id=ben.id)
    with pytest.raises(NotAMember):
        await chat.room_deletion.burn(room.id, visitor_id=non_member.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    with pytest.raises(NotAMember):
        await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    with pytest.raises(NotFound):
        await chat.room_deletion.burn("never-was", visitor_id=ann.id)
    assert (await chat.rooms.find("night-train")).id == room.id


async def test_burnt_room_is_gone_and_its_name_is_free(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ben.id, text=str(n)) for n in range(1_100))
    )
    await chat.messages.flush()
    recorder = EventRecorder(chat)
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    assert recorder.events == [RoomEnded(room.id, burnt=True)]
    with pytest.raises(NotFound):
        await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    with pytest.raises(NotFound):
        await chat.rooms.find("night-train")
    with pytest.raises(NotFound):
        await chat.room_directory.find("night-train")
    with pytest.raises(NotAMember):
        await read(chat, room, ben)
    assert await chat.memberships.list_of_visitor(ben.id) == []
    assert (await chat.rooms.open("night train", visitor_id=ben.id)).id != room.id


async def test_purge_during_burning_reports_the_room_as_burnt(
    chat: Chat,
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    recorder = EventRecorder(chat)

    async def purge(_event: Event) -> None:
        if len(recorder.events) == 1:
            await chat.expiry.purge()

    chat.bus.subscribe(purge)
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    assert set(recorder.events) == {RoomEnded(room.id, burnt=True)}


async def test_post_during_burning_is_refused_only_in_that_room(chat: Chat) -> None:
    room, (_, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    other, _ = await create_room_with_members(chat, "day train", "Cid")
    await chat.memberships.join(other.id, visitor_id=ben.id)
    await chat._keys.destroy([f"room {room.id}"])
    refused, kept = await asyncio.gather(
        chat.messages.post(room.id, visitor_id=ben.id, text="too late"),
        chat.messages.post(other.id, visitor_id=ben.id, text="in time"),
        return_exceptions=True,
    )
    assert isinstance(refused, NotFound)
    assert not isinstance(kept, BaseException)
    assert kept.text == "in time"


@pytest.mark.single("in a cluster another node might have the key; there the row is deleted first")
async def test_name_of_a_burnt_room_is_free_before_its_rows_are_deleted(
    chat: Chat,
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await chat._keys.destroy([f"room {room.id}"])
    assert (await chat.rooms.create("night train", visitor_id=ann.id)).id != room.id


async def test_purge_stats_count_deletions_and_survive_a_restart(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    await create_room_with_members(chat, "day train", "Cid")
    await post_messages(chat, room, ann, "one", "two")
    posted_at = clock.now
    clock.advance(timedelta(minutes=1))
    await post_messages(chat, room, ben, "three")
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)
    await chat.expiry.purge()
    stats = chat.purge_stats.stats
    assert stats
    assert (stats.messages, stats.rooms, stats.visitors) == (0, 0, 0)
    assert stats.oldest == posted_at
    assert (stats.purged_at, stats.next_purge - stats.purged_at) == (
        clock.now,
        chat.settings.janitor_interval,
    )
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
    await chat.identity.forget(ben.id)
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    await chat.expiry.purge()
    stats = chat.purge_stats.stats
    assert stats
    assert (stats.messages, stats.rooms, stats.visitors, stats.oldest) == (3, 1, 1, None)
    clock.advance(chat.settings.visitor_ttl)
    await chat.expiry.purge()
    await chat.expiry.purge()
    await crash(chat)
    async with running_chat(chat.settings.data_dir, clock) as again:
        stats = again.purge_stats.stats
        assert stats
        assert (stats.messages, stats.rooms, stats.visitors) == (3, 2, 3)


async def test_clock_continues_from_the_last_purge_after_a_restart(
    chat: Chat, clock: FakeClock
) -> None:
    await chat.expiry.purge()
    before = clock.now
    await crash(chat)
    clock.now -= timedelta(hours=3)
    async with running_chat(chat.settings.data_dir, clock):
        assert clock.now == before


async def test_late_event_of_a_burnt_room_does_not_restore_it_in_the_lobby(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    await chat.bus.publish(MemberJoined(room, member))
    assert await chat.room_directory.search("night", limit=5) == []
    assert chat.room_directory.summary(room.id) is None
