"""The instruments of `make bench` measure what they say."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.benchmarks import fanout
from tests.benchmarks.cluster import deliveries, paper
from tests.benchmarks.cluster.site import building
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Goal, Outcome
from tests.benchmarks.report import describe, write_between
from tests.benchmarks.town import founding, multiply
from tests.fakes import FakeClock, running_chat

NODE_MODULES = Path(fanout.__file__).parent / "node_modules"
COSTS = {
    "opening": 15e-3,
    "opening in PostgreSQL": 1e-3,
    "idle screen": 50e-6,
    "delivery": 50e-6,
    "post": 1e-3,
    "post in PostgreSQL": 1e-4,
    "attended message": 1e-4,
    "stirred room": 1e-6,
    "presence": 10e-6,
    "read mark": 1e-6,
    "hearing in Redis": 1e-6,
    "posts per second": 1_000.0,
    "bytes of a node": 1e8,
    "bytes per screen": 2e5,
    "bytes per room and visitor": 2e3,
}
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


def test_what_was_measured_is_written_between_the_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- end of what was measured -->\nafter\n")
    found = {"rows": Outcome(goals=[Goal("rows", "≤ 4 ms", "3 ms", True)])}
    for _ in range(2):
        write_between(page, found, 0.1, ["Python 3"])
    text = page.read_text()
    assert text.startswith("before\n<!-- measured -->\n")
    assert text.endswith("\n<!-- end of what was measured -->\nafter\n")
    assert text.count("| rows | ≤ 4 ms | 3 ms | met |") == 1
    assert "old" not in text
    page.write_text("no marks")
    with pytest.raises(RuntimeError, match="marks"):
        write_between(page, found, 0.1, [])
    assert page.read_text() == "no marks"


def test_more_screens_need_more_nodes_until_no_number_of_them_helps() -> None:
    small, large = paper.Site(1_000, COSTS), paper.Site(50_000, COSTS)
    assert small.nodes == 1
    assert large.nodes and large.load(large.nodes) <= 0.6 < large.load(large.nodes - 1)
    assert large.attended(1) == 0 < large.attended(2) < large.attended(3)
    too_large = paper.Site(1_000_000, {**COSTS, "read mark": 10e-6})
    assert too_large.heard > 0.6
    assert too_large.nodes is None
    assert paper.Site(1_000_000, {**COSTS, "read mark": 1e-6}).nodes


def test_what_was_not_measured_is_not_reckoned_with() -> None:
    costs = dict(COSTS)
    assert not paper.reckon({"costs": Outcome(costs=costs)}).failure
    del costs["delivery"]
    assert "delivery" in paper.reckon({"costs": Outcome(costs=costs)}).failure


async def test_a_town_may_be_filled_before_the_nodes_of_its_site_start() -> None:
    async with building(1) as site:
        (seat,) = await deliveries.furnish(site, rooms=1, screens=1)
        before = site.spent()
        await site.start_nodes()
        async with httpx.AsyncClient(base_url=site.url) as browser:
            answer = await browser.get(
                f"/r/{seat['room']}", headers={"Cookie": f"anonchat={seat['token']}"}
            )
        assert answer.status_code == 200
        assert seat["room"] in answer.text
        spent = site.spent().since(before)
        assert spent.nodes > 0
        assert site.nodes[0].memory() > 1_000_000
    assert not site.folder.exists()


def clock_of_today() -> FakeClock:
    clock = FakeClock()
    clock.now = datetime.now(UTC)
    return clock
