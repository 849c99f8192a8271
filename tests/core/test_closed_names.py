"""Names of closed rooms stay closed for a time that the operator gives."""

from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, InvalidRoom, NotFound, Room, Visitor
from models import ClosedNameRow
from tests.fakes import FakeClock, execute, running_chat, sign_in

pytestmark = pytest.mark.usefixtures("either_place")

DAY = timedelta(days=1)


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await sign_in(chat, "Ann")


@pytest.fixture
async def closed(chat: Chat, ann: Visitor, clock: FakeClock) -> Room:
    """Return a room that was closed, and its name with it for a day."""
    room = await chat.rooms.open("Black Caxa", visitor_id=ann.id)
    await chat.room_deletion.close(room.id, until=clock() + DAY)
    return room


@pytest.mark.parametrize(
    "name",
    [
        "Black Caxa",
        "BLACK  CAXA",
        "black-caxa",
        "Black Caxa!",
        "B1ack Caxa",
        "Black \u0421\u0410\u0425\u0410",  # Cyrillic
    ],
)
async def test_closed_name_and_names_that_look_like_it_open_no_room(
    chat: Chat, ann: Visitor, closed: Room, name: str
) -> None:
    for try_name in (chat.rooms.open, chat.rooms.create):
        with pytest.raises(InvalidRoom, match="closed for now"):
            await try_name(name, visitor_id=ann.id)
    assert await chat.rooms.find_by_name(name) is None
    with pytest.raises(NotFound):
        await chat.rooms.find(closed.slug)


async def test_other_names_can_be_used_while_a_name_is_closed(
    chat: Chat, ann: Visitor, closed: Room
) -> None:
    assert (await chat.rooms.open("Caxa", visitor_id=ann.id)).slug == "caxa"
    unlisted = await chat.rooms.create("Black Caxa", visitor_id=ann.id, listed=False)
    assert unlisted.slug != closed.slug


async def test_closed_name_can_be_used_again_afterwards(
    chat: Chat, ann: Visitor, clock: FakeClock, closed: Room
) -> None:
    clock.advance(DAY - timedelta(seconds=1))
    with pytest.raises(InvalidRoom):
        await chat.rooms.open(closed.name, visitor_id=ann.id)
    clock.advance(timedelta(seconds=1))
    assert (await chat.rooms.open(closed.name, visitor_id=ann.id)).slug == closed.slug
    await chat.purge()
    assert await execute(chat, "SELECT count(*) FROM closed_name") == [(0,)]


async def test_name_stays_closed_after_a_restart(
    chat: Chat, ann: Visitor, clock: FakeClock, closed: Room, tmp_path: Path
) -> None:
    await chat.stop()
    async with running_chat(tmp_path / "data", clock) as again:
        with pytest.raises(InvalidRoom):
            await again.rooms.open(closed.name, visitor_id=ann.id)


async def test_name_that_is_closed_twice_stays_closed_until_the_later_end(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    rooms = [await chat.rooms.open(name, visitor_id=ann.id) for name in ("Caxa", "Caxa!")]
    for room, duration in zip(rooms, (2 * DAY, DAY), strict=True):
        await chat.room_deletion.close(room.id, until=clock() + duration)
    clock.advance(DAY)
    with pytest.raises(InvalidRoom):
        await chat.rooms.open("Caxa?", visitor_id=ann.id)


async def test_room_closed_without_a_time_can_be_opened_again(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await chat.room_deletion.close(room.id)
    assert (await chat.rooms.open("night train", visitor_id=ann.id)).id != room.id


async def test_name_of_an_unlisted_room_is_not_closed(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    """Unrelated public rooms may have it, and the link of the room is never used again."""
    room = await chat.rooms.create("family", visitor_id=ann.id, listed=False)
    await chat.room_deletion.close(room.id, until=clock() + DAY)
    assert (await chat.rooms.open("family", visitor_id=ann.id)).listed


async def test_closed_names_are_stored_as_keyed_hashes_only(chat: Chat, closed: Room) -> None:
    assert set(ClosedNameRow.model_fields) == {"hash", "expires_at"}
    hashes = await execute(chat, "SELECT hash FROM closed_name")
    assert {len(hash) for (hash,) in hashes} == {32}
