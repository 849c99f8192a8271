"""Tests of the benchmarks: seeding, load generator, report and estimates."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from benchmarks import fanout
from benchmarks.cluster import deliveries, paper
from benchmarks.cluster.site import running_stores
from benchmarks.database_seeder import multiply_messages, seeding
from benchmarks.lab import Lab
from benchmarks.outcome import Goal, Outcome
from benchmarks.report import describe, write_between
from tests.fakes import FakeClock, running_chat

NODE_MODULES = Path(fanout.__file__).parent / "node_modules"
COSTS = {
    "opening": 15e-3,
    "opening in PostgreSQL": 1e-3,
    "idle screen": 50e-6,
    "delivery": 50e-6,
    "post": 1e-3,
    "post in PostgreSQL": 1e-4,
    "message in an open room": 1e-4,
    "room activity": 1e-6,
    "presence": 10e-6,
    "read mark": 1e-6,
    "delivery by Redis": 1e-6,
    "posts per second": 1_000.0,
    "bytes of a node": 1e8,
    "bytes per screen": 2e5,
    "bytes per room and visitor": 2e3,
}
needs_node = pytest.mark.skipif(
    not shutil.which("node") or not NODE_MODULES.exists(), reason="`make bench` installs it"
)


async def test_seeded_database_is_readable_by_the_chat(tmp_path: Path) -> None:
    async with seeding(tmp_path / "data") as seeder:
        guests = await seeder.add_visitors(2)
        (row,) = await seeder.add_rooms(1)
        await seeder.add_messages([row], guests, 3)
        await seeder.add_members([(row, guest) for guest in guests])
    async with running_chat(tmp_path / "data", clock_of_today()) as chat:
        room = await chat.rooms.find(seeder.room_name(row.id))
        visitor = await chat.identity.authenticate(guests[0].token)
        assert visitor and visitor.nickname == guests[0].nickname
        history = await chat.messages.history(room.id, visitor_id=visitor.id, limit=10)
        assert [message.seq for message in history] == [1, 2, 3]
        assert {message.nickname for message in history} == {guest.nickname for guest in guests}
        (mine,) = await chat.memberships.list_of_visitor(visitor.id)
        assert mine.unread == 0
        message = await chat.messages.post(room.id, visitor_id=visitor.id, text="hello")
        assert message.seq == 4


async def test_multiplied_messages_are_purged_when_expired(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with seeding(data) as seeder:
        guests = await seeder.add_visitors(1)
        rooms = await seeder.add_rooms(2)
        await seeder.add_messages(rooms, guests, 1)
    multiply_messages(data, 1_000, expires_in=timedelta(seconds=-1))
    async with running_chat(data, clock_of_today()) as chat:
        assert chat.purge_stats.stats
        assert chat.purge_stats.stats.messages == 1_000 + len(rooms)


@needs_node
@pytest.mark.parametrize("candidate", [fanout.ANONCHAT, fanout.PLAIN_EMIT], ids=["own", "plain"])
async def test_load_generator_times_every_message_on_every_screen(
    tmp_path: Path, candidate: fanout.Candidate
) -> None:
    runs = await fanout.run_candidate(Lab(tmp_path, scale=0.01), candidate)
    for run in runs:
        assert run.result.deliveries == run.result.posted * run.screens > 0
        assert 0 < run.result.p50 <= run.result.p99 <= run.result.max
        assert run.processor > 0


def test_report_contains_results_and_failures() -> None:
    found = Outcome(goals=[Goal("rows", "≤ 4 ms", "3 ms", True)])
    text = describe({"browser": found, "flood": Outcome(failure="no node")})
    assert "| rows | ≤ 4 ms | 3 ms | met |" in text
    assert "**flood failed:** no node" in text


def test_report_is_written_between_its_markers_only(tmp_path: Path) -> None:
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
    page.write_text("no markers")
    with pytest.raises(RuntimeError, match="markers"):
        write_between(page, found, 0.1, [])
    assert page.read_text() == "no markers"


def test_estimated_number_of_nodes_grows_with_screens_up_to_a_limit() -> None:
    small, large = paper.Site(1_000, COSTS), paper.Site(50_000, COSTS)
    assert small.nodes == 1
    assert large.nodes and large.load(large.nodes) <= 0.6 < large.load(large.nodes - 1)
    assert large.open_rooms(1) == 0 < large.open_rooms(2) < large.open_rooms(3)
    too_large = paper.Site(1_000_000, {**COSTS, "read mark": 10e-6})
    assert too_large.every_node > 0.6
    assert too_large.nodes is None
    assert paper.Site(1_000_000, {**COSTS, "read mark": 1e-6}).nodes


def test_estimate_fails_if_a_cost_was_not_measured() -> None:
    costs = dict(COSTS)
    assert not paper.estimate({"costs": Outcome(costs=costs)}).failure
    del costs["delivery"]
    assert "delivery" in paper.estimate({"costs": Outcome(costs=costs)}).failure


async def test_cluster_database_can_be_seeded_before_nodes_start() -> None:
    async with running_stores(1) as site:
        (spec,) = await deliveries.seed_rooms(site, rooms=1, screens=1)
        before = site.processor_time()
        await site.start_nodes()
        async with httpx.AsyncClient(base_url=site.url) as browser:
            answer = await browser.get(
                f"/r/{spec['room']}", headers={"Cookie": f"anonchat={spec['token']}"}
            )
        assert answer.status_code == 200
        assert spec["room"] in answer.text
        spent = site.processor_time().since(before)
        assert spent.nodes > 0
        assert site.nodes[0].resident_bytes() > 1_000_000
    assert not site.folder.exists()


def clock_of_today() -> FakeClock:
    clock = FakeClock()
    clock.now = datetime.now(UTC)
    return clock
