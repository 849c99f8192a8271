"""Each attack of `make bench ARGS=flood` reaches what it attacks."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.benchmarks.attacks import catalogue
from tests.benchmarks.attacks.attacker import Attacker
from tests.benchmarks.attacks.catalogue import MIXES, WAYS, check_coverage, find_ways
from tests.benchmarks.attacks.client import Client
from tests.benchmarks.attacks.conversation import Conversation
from tests.benchmarks.attacks.pace import Pace
from tests.benchmarks.attacks.process import Attack
from tests.benchmarks.attacks.scene import Scene
from tests.benchmarks.attacks.site import Site, fill_site
from tests.benchmarks.attacks.way import Way
from tests.benchmarks.server import Server, anonchat
from tests.fakes import UNLIMITED

ACTS = 8  # once for each visitor of the attacker
CONNECTIONS = 2
PATIENCE = 60

KEYS = "SELECT sum(generation) FROM span"
MEMBERS = "SELECT group_concat(joined_at) FROM member"
MESSAGES = "SELECT count(*) FROM message"
READ = "SELECT sum(read_seq) FROM member"
ROOMS = "SELECT count(*) FROM room"
VISITORS = "SELECT count(*) FROM visitor"
CHANGES = {
    "event: read marks": READ,
    "event: messages deleted": KEYS,
    "event: rooms left in the list": MEMBERS,
    "event: posts": MESSAGES,
    "event: long posts": MESSAGES,
    "event: rooms opened by name": ROOMS,
    "event: rooms created": ROOMS,
    "event: rooms joined and left": MEMBERS,
    "event: sign-in": VISITORS,
    "event: sign-in with a phrase": VISITORS,
    "API: sign-in": VISITORS,
    "API: sign-in with a phrase": VISITORS,
    "API: rooms made": ROOMS,
    "API: joins and leaves": MEMBERS,
    "API: posts": MESSAGES,
    "API: messages deleted": MESSAGES,
}
"""What an attack changes in the database."""

ANSWERS = {
    "event: a room's messages catch up": "messages catchUp",
    "event: a room's messages catch up, 1,000 keys": "messages catchUp",
    "event: a room's messages turn the page": "messages showPage",
    "event: a room's small lists catch up": "members catchUp",
    "event: own rooms catch up": "rail catchUp",
    "event: public rooms catch up": "card catchUp",
    "event: public rooms turn the page": "card showPage",
    "event: rooms searched": "nicegui-finder show",
    "event: room said to have ended": "nicegui-screen replace",
    "event: nicknames suggested": "nicegui-screen fill",
    "event: what was purged catches up": "ledger catchUp",
}
"""What the pages of an attack are told."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(folder: Path) -> Site:
    return asyncio.run(fill_site(folder / "data", rooms=1, screens=1, said=40))


@pytest.fixture(scope="module")
def server(folder: Path, site: Site) -> Iterator[Server]:
    server = anonchat(folder / "data")
    asyncio.run(server.__aenter__())
    yield server
    asyncio.run(server.__aexit__())


@pytest.fixture
def scene(site: Site, server: Server) -> Scene:
    return site.for_server(server.url, address="127.0.0.2", browser=CONNECTIONS)


@pytest.mark.parametrize("way", [*WAYS.values(), *MIXES.values()], ids=lambda way: way.name)
async def test_attack_reaches_what_it_attacks(way: Way, scene: Scene, folder: Path) -> None:
    database = folder / "data" / "anonchat.db"
    before = ask(database, CHANGES[way.name]) if way.name in CHANGES else None
    async with Client(scene.url, scene.address) as client:
        attack = Attack(way, client, scene, within_limits=False)
        await attack.prepare()
        attack.begin(acts=ACTS)
        await attack.finish()
        await attack.end()
        assert attack.done + attack.unanswered, attack.last_refusal
        if way.name in CHANGES:
            await until(lambda: ask(database, CHANGES[way.name]) != before)
        if way.name in ANSWERS:
            await until(lambda: client.told[ANSWERS[way.name]] > 0)


async def test_attack_of_another_process_is_counted_until_it_is_told_to_end(scene: Scene) -> None:
    async with Attacker() as attacker:
        await attacker.prepare("API: own rooms", scene)
        await attacker.begin(acts=ACTS)
        await attacker.finish()
        assert (await attacker.end()).done == ACTS
        with pytest.raises(RuntimeError, match="KeyError"):
            await attacker.prepare("nothing: such", scene)
        await attacker.restart()
        await attacker.prepare("API: own rooms", scene, within_limits=True)
        await attacker.begin()
        await attacker.end()


async def test_every_event_of_a_page_and_every_route_has_a_flood(
    site: Site, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check_coverage(scene, site.stranger)
    for name, missing in (
        ("event: posts", "nicegui-composer post"),
        ("API: own rooms", "GET /rooms/mine"),
    ):
        others = {each: way for each, way in WAYS.items() if way.covers != WAYS[name].covers}
        monkeypatch.setattr(catalogue, "WAYS", others)
        with pytest.raises(RuntimeError, match=missing):
            await check_coverage(scene, site.stranger)


async def test_what_others_say_is_timed_on_each_of_their_screens(
    site: Site, server: Server
) -> None:
    async with Conversation(server.url, site.people, rate=10) as conversation:
        stretch = await (await conversation.listen(1.0))()
    assert stretch.posted
    assert len(stretch.latencies) == stretch.posted
    assert not stretch.missing
    assert not stretch.refused
    assert 0 < stretch.p50 <= stretch.p99


async def test_one_visitor_does_no_more_than_the_limits_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = Pace(["events_per_screen", "new_rooms_per_visitor"], pages=6)
    for _ in range(100):
        await pace.wait()
    assert not waits
    await pace.wait()
    assert waits[0] > 5  # 100 at once, then one each six seconds
    unpaced = Pace([], pages=1)
    await unpaced.wait()
    assert len(waits) == 1


def test_ways_are_found_by_any_part_of_their_names() -> None:
    assert {way.name for way in find_ways("API: posts, phrases")} == {
        "API: posts",
        "API: phrases guessed",
    }
    with pytest.raises(ValueError, match="API: posts"):
        find_ways("no such thing")


@pytest.mark.parametrize(
    ("url", "address"),
    [("http://example.com", "127.0.0.2"), ("http://127.0.0.1:1", "10.0.0.1"), ("", "127.0.0.2")],
)
def test_nothing_but_loopback_is_attacked(url: str, address: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Client(url, address)


def test_limits_that_ways_name_are_settings() -> None:
    assert {name for way in WAYS.values() for name in way.allowed} <= UNLIMITED.keys()


def ask(database: Path, query: str) -> object:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchone()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
