"""The instruments of `make bench` measure what they say."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.benchmarks import fanout
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Goal, Outcome
from tests.benchmarks.report import describe
from tests.benchmarks.town import founding, multiply
from tests.fakes import FakeClock, running_chat

NODE_MODULES = Path(fanout.__file__).parent / "node_modules"
needs_node = pytest.mark.skipif(
    not shutil.which("node") or not NODE_MODULES.exists(), reason="`make bench` installs it"
)


async def test_what_a_town_is_filled_with_is_read_as_if_it_had_been_said(tmp_path: Path) -> None:
    async with founding(tmp_path / "data") as town:
        guests = await town.come_in(2)
        (row,) = await town.open_rooms(1)
        await town.say([row], guests, 3)
        await town.join([(row, guest) for guest in guests])
    async with running_chat(tmp_path / "data", clock_of_today()) as chat:
        room = await chat.rooms.find(town.name(row.id))
        visitor = await chat.identity.recognise(guests[0].token)
        assert visitor and visitor.nickname == guests[0].nickname
        history = await chat.messages.history(room.id, visitor_id=visitor.id, limit=10)
        assert [message.seq for message in history] == [1, 2, 3]
        assert {message.nickname for message in history} == {guest.nickname for guest in guests}
        (mine,) = await chat.memberships.list_mine(visitor.id)
        assert mine.unread == 0
        message = await chat.messages.post(room.id, visitor_id=visitor.id, text="hello")
        assert message.seq == 4


async def test_what_a_town_is_multiplied_by_is_purged_at_its_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with founding(data) as town:
        guests = await town.come_in(1)
        rooms = await town.open_rooms(2)
        await town.say(rooms, guests, 1)
    multiply(data, 1_000, lasting=timedelta(seconds=-1))
    async with running_chat(data, clock_of_today()) as chat:
        assert chat.ledger.tally
        assert chat.ledger.tally.messages == 1_000 + len(rooms)


@needs_node
async def test_every_message_is_timed_on_every_screen(tmp_path: Path) -> None:
    runs = await fanout.run_party(Lab(tmp_path, scale=0.01), fanout.ANONCHAT)
    for run in runs:
        assert run.stretch.deliveries == run.stretch.posted * run.screens > 0
        assert 0 < run.stretch.p50 <= run.stretch.p99 <= run.stretch.max
        assert run.processor > 0


def test_what_failed_does_not_hide_what_was_found() -> None:
    found = Outcome(goals=[Goal("rows", "≤ 4 ms", "3 ms", True)])
    text = describe({"browser": found, "flood": Outcome(failure="no node")})
    assert "| rows | ≤ 4 ms | 3 ms | met |" in text
    assert "**flood failed:** no node" in text


def clock_of_today() -> FakeClock:
    clock = FakeClock()
    clock.now = datetime.now(UTC)
    return clock
