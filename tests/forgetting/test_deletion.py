"""Taking back one message, or a whole room: at once, for good, and nothing else with it."""

import asyncio
from datetime import timedelta

import pytest

from anonchat import (
    Chat,
    MemberJoined,
    MessageExpired,
    MessagesGone,
    NotAllowed,
    NotAMember,
    NotFound,
    RoomEnded,
    Unavailable,
)
from anonchat.events import Event
from anonchat.keystore import span_of
from tests.fakes import (
    Ear,
    FakeClock,
    come_in,
    crash,
    find_unsettled,
    gather_in,
    read,
    running_chat,
    say,
)

pytestmark = pytest.mark.usefixtures("either_place")


async def test_a_deletion_renews_the_key_of_the_span_and_leaves_one(chat: Chat) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    await say(chat, room, ann, "one", "two")
    await say(chat, room, ben, "three")
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)
    span = span_of(page[1].expires_at)
    (before,) = chat._keys.names_of_span(span)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[1].id)
    (after,) = chat._keys.names_of_span(span)
    assert (before, after) == tuple(chat._keys.own_of_span(span, number) for number in (0, 1))
    assert await read(chat, room, ben) == ["one", "three"]
    async with chat._database.reading():
        chat.messages._pages.drop(room.id)
    assert await read(chat, room, ben) == ["one", "three"], "from the disk as well"
    await say(chat, room, ann, "four")
    assert await read(chat, room, ben) == ["one", "three", "four"]


async def test_many_deletions_at_once_take_what_they_should_and_nothing_else(chat: Chat) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    await say(chat, room, ann, *map(str, range(40)))
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=50)
    await asyncio.gather(
        *(
            chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
            for message in page[::2]
        ),
        say(chat, room, ben, *map(str, range(100, 110))),
    )
    chat.messages._pages.drop(room.id)
    wanted = {str(number) for number in (*range(1, 40, 2), *range(100, 110))}
    assert set(await read(chat, room, ben)) == wanted
    assert await find_unsettled(chat) == []


async def test_deletions_that_wait_share_one_renewal(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, *map(str, range(10)))
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)
    sealed = []
    seal_anew = chat.expiry._vault.seal_anew
    chat.expiry._vault.seal_anew = lambda row, to: (sealed.append(row.id), seal_anew(row, to))  # type: ignore
    async with chat.expiry._renewing.holding(span_of(page[0].expires_at)):
        deleting = [
            asyncio.create_task(
                chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
            )
            for message in page[:8]
        ]
        ear = Ear(chat)
        while len(ear.all(MessagesGone)) < 8:  # noqa: ASYNC110 - what was heard tells nobody
            await asyncio.sleep(0)
    await asyncio.gather(*deleting)
    assert len(sealed) == 2, "the two that live are sealed once, not eight times"


async def test_deletions_in_different_spans_do_not_wait_for_each_other(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    long = await chat.messages.post(room.id, visitor_id=ann.id, text="in a span with much in it")
    clock.move(timedelta(minutes=1))
    short = await chat.messages.post(room.id, visitor_id=ben.id, text="in a span by itself")
    seal_anew, others_is_done = chat.expiry._seal_anew, asyncio.Event()

    async def take_long(number: int, generation: int, pause: float) -> bool:
        if number == span_of(long.expires_at):
            await others_is_done.wait()
        return await seal_anew(number, generation, pause)

    monkeypatch.setattr(chat.expiry, "_seal_anew", take_long)
    ear = Ear(chat)
    first = asyncio.create_task(
        chat.messages.delete(room.id, visitor_id=ann.id, message_id=long.id)
    )
    while not ear.all(MessagesGone):  # noqa: ASYNC110 - what was heard tells nobody
        await asyncio.sleep(0)
    async with asyncio.timeout(60):  # else each would wait for the other
        await chat.messages.delete(room.id, visitor_id=ben.id, message_id=short.id)
    assert not first.done()
    assert await find_unsettled(chat) == [span_of(long.expires_at)]
    others_is_done.set()
    await first
    assert await find_unsettled(chat) == []
    assert not chat.expiry._renewing.is_held(span_of(long.expires_at))


async def test_janitor_renews_what_nobody_is_renewing(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    busy = await chat.messages.post(room.id, visitor_id=ann.id, text="somebody is at it")
    clock.move(timedelta(minutes=1))
    left = await chat.messages.post(room.id, visitor_id=ann.id, text="refused before")

    async def refuse(*_: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as trouble:
        trouble.setattr(chat.expiry, "_seal_anew", refuse)
        for message in (busy, left):
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    async with chat.expiry._renewing.holding(span_of(busy.expires_at)):
        async with asyncio.timeout(60):  # else the round would wait for who is at it
            await chat.purge()
        assert await find_unsettled(chat) == [span_of(busy.expires_at)]
    await chat.purge()
    assert await find_unsettled(chat) == []


async def test_a_renewal_that_was_refused_is_done_in_the_next_round(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one", "two")
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)

    async def refuse(*_: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as trouble:
        trouble.setattr(chat.expiry, "_seal_anew", refuse)
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
        assert await find_unsettled(chat)
        chat.messages._pages.drop(room.id)
        assert await read(chat, room, ann) == ["two"], "the older key opens what is not renewed"
    await chat.purge()
    assert await find_unsettled(chat) == []
    chat.messages._pages.drop(room.id)
    assert await read(chat, room, ann) == ["two"]


async def test_a_deletion_that_is_not_kept_leaves_the_message(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    (message,) = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as trouble:
        trouble.setattr(chat._keys, "_write", refuse)
        with pytest.raises(Unavailable):
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert await read(chat, room, ann) == ["one"]


async def test_a_late_retry_of_a_deleted_message_is_refused_until_it_would_have_expired(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    for _ in range(2):
        with pytest.raises(MessageExpired, match="come to its end"):
            await chat.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")
        await chat.expiry.purge()
    assert await read(chat, room, ben) == []
    await chat.messages.post(room.id, visitor_id=ben.id, text="mine", dedup_id="1")
    clock.move(room.message_ttl)
    await chat.expiry.purge()
    assert (await chat.messages.post(room.id, visitor_id=ann.id, text="new", dedup_id="1")).seq == 3


async def test_a_late_retry_is_refused_after_a_restart_too(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    await crash(chat)
    chat.janitor._watchdog = None
    async with running_chat(chat.settings.data_dir, clock) as again:
        with pytest.raises(MessageExpired):
            await again.messages.post(room.id, visitor_id=ann.id, text="oops", dedup_id="1")


async def test_only_the_owner_may_burn_a_room_while_a_member(chat: Chat) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    stranger = await come_in(chat, "Cid")
    with pytest.raises(NotAllowed):
        await chat.rooms.burn(room.id, visitor_id=ben.id)
    with pytest.raises(NotAMember):
        await chat.rooms.burn(room.id, visitor_id=stranger.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    with pytest.raises(NotAMember):
        await chat.rooms.burn(room.id, visitor_id=ann.id)
    with pytest.raises(NotFound):
        await chat.rooms.burn("never-was", visitor_id=ann.id)
    assert (await chat.rooms.find("night-train")).id == room.id


async def test_a_burnt_room_is_gone_for_everybody_and_its_name_is_free(chat: Chat) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ben.id, text=str(n)) for n in range(1_100))
    )
    await chat.messages.finish()
    ear = Ear(chat)
    await chat.rooms.burn(room.id, visitor_id=ann.id)
    assert ear.heard == [RoomEnded(room.id, burnt=True)]
    with pytest.raises(NotFound):
        await chat.rooms.burn(room.id, visitor_id=ann.id)
    with pytest.raises(NotFound):
        await chat.rooms.find("night-train")
    with pytest.raises(NotFound):
        await chat.lobby.find("night-train")
    with pytest.raises(NotAMember):
        await read(chat, room, ben)
    assert await chat.memberships.list_mine(ben.id) == []
    assert (await chat.rooms.open("night train", visitor_id=ben.id)).id != room.id


async def test_a_round_of_the_janitor_while_a_room_burns_does_not_say_that_it_was_quiet(
    chat: Chat,
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    ear = Ear(chat)

    async def purge(_event: Event) -> None:
        if len(ear.heard) == 1:
            await chat.expiry.purge()

    chat.bus.subscribe(purge)
    await chat.rooms.burn(room.id, visitor_id=ann.id)
    assert set(ear.heard) == {RoomEnded(room.id, burnt=True)}


async def test_who_posts_while_a_room_burns_is_refused_and_nobody_else_is(chat: Chat) -> None:
    room, (_, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    other, _ = await gather_in(chat, "day train", "Cid")
    await chat.memberships.join(other.id, visitor_id=ben.id)
    await chat._keys.destroy([f"room {room.id}"])
    lost, kept = await asyncio.gather(
        chat.messages.post(room.id, visitor_id=ben.id, text="too late"),
        chat.messages.post(other.id, visitor_id=ben.id, text="in time"),
        return_exceptions=True,
    )
    assert isinstance(lost, NotFound)
    assert not isinstance(kept, BaseException)
    assert kept.text == "in time"


@pytest.mark.single("of several nodes another might know the key; there the end comes first")
async def test_the_name_of_a_burnt_room_is_free_although_its_rows_are_still_there(
    chat: Chat,
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await chat._keys.destroy([f"room {room.id}"])
    assert (await chat.rooms.create("night train", visitor_id=ann.id)).id != room.id


async def test_the_ledger_counts_what_was_forgotten_and_outlives_a_restart(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    await gather_in(chat, "day train", "Cid")
    await say(chat, room, ann, "one", "two")
    said_at = clock.now
    clock.move(timedelta(minutes=1))
    await say(chat, room, ben, "three")
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=10)
    await chat.expiry.purge()
    tally = chat.ledger.tally
    assert tally
    assert (tally.messages, tally.rooms, tally.visitors) == (0, 0, 0)
    assert tally.oldest == said_at
    assert (tally.purged_at, tally.next_purge - tally.purged_at) == (
        clock.now,
        chat.settings.janitor_interval,
    )
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[0].id)
    await chat.identity.forget(ben.id)
    await chat.rooms.burn(room.id, visitor_id=ann.id)
    await chat.expiry.purge()
    tally = chat.ledger.tally
    assert tally
    assert (tally.messages, tally.rooms, tally.visitors, tally.oldest) == (3, 1, 1, None)
    clock.move(chat.settings.visitor_ttl)
    await chat.expiry.purge()
    await chat.expiry.purge()
    await crash(chat)
    chat.janitor._watchdog = None
    async with running_chat(chat.settings.data_dir, clock) as again:
        tally = again.ledger.tally
        assert tally
        assert (tally.messages, tally.rooms, tally.visitors) == (3, 2, 3)


async def test_time_goes_on_from_the_last_round_after_a_restart(
    chat: Chat, clock: FakeClock
) -> None:
    await chat.expiry.purge()
    reached = clock.now
    await crash(chat)
    chat.janitor._watchdog = None
    clock.now -= timedelta(hours=3)
    async with running_chat(chat.settings.data_dir, clock):
        assert clock.now == reached


async def test_late_word_of_a_burnt_room_does_not_bring_it_back_into_the_lobby(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    await chat.rooms.burn(room.id, visitor_id=ann.id)
    await chat.bus.publish(MemberJoined(room, member))
    assert await chat.lobby.search("night", limit=5) == []
    assert chat.lobby.glance(room.id) is None
