"""Tests of the attacks of `make bench ARGS=flood`."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.attacks import catalogue
from benchmarks.attacks.attacker import Attacker
from benchmarks.attacks.catalogue import MIXES, WAYS, check_coverage, find_ways
from benchmarks.attacks.client import Client
from benchmarks.attacks.conversation import BackgroundConversation
from benchmarks.attacks.pace import Pace
from benchmarks.attacks.process import Attack
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.site import PLUGIN, Site, fill_site
from benchmarks.attacks.way import Way
from benchmarks.server import anonchat
from tests.fakes import UNLIMITED
from tests.timeouts import DEADLINE
from tools.servers.node import Node

ACTS = 8  # one for each visitor of the attacker
CONNECTIONS = 2

KEYS = "SELECT sum(generation) FROM span"
MEMBERS = "SELECT group_concat(joined_at) FROM member"
OPENED = "SELECT count(*) FROM opening WHERE opened"
CHANGED = "SELECT sum(revision) FROM message"
MESSAGES = "SELECT count(*) FROM message"
READ = "SELECT sum(read_seq) FROM member"
PREFERENCES = "SELECT group_concat(hex(sealed)) FROM visitor"
REVISIONS = "SELECT sum(revision) FROM room"
STATES = "SELECT group_concat(hex(sealed)) FROM room_state"
ROOMS = "SELECT count(*) FROM room"
STANDINGS = "SELECT group_concat(hex(sealed)) FROM standing"
INVITES = "SELECT count(*) FROM invite"
VISITORS = "SELECT count(*) FROM visitor"
CHANGES = {
    "event: read marks": READ,
    "event: messages deleted": KEYS,
    "event: messages edited": KEYS,
    "event: messages opened once": OPENED,
    "event: reactions": CHANGED,
    "event: preferences switched": PREFERENCES,
    "event: rooms left in the list": MEMBERS,
    "event: posts": MESSAGES,
    "event: long posts": MESSAGES,
    "event: commands": MESSAGES,
    "event: actions run": MESSAGES,
    "event: actions run on messages": MESSAGES,
    "event: panels changed": STATES,
    "event: rooms opened by name": ROOMS,
    "event: rooms created": ROOMS,
    "event: rooms changed": REVISIONS,
    "event: rooms joined and left": MEMBERS,
    "page: sign-in": VISITORS,
    "page: sign-in with a phrase": VISITORS,
    "page: sign-in without scripts": VISITORS,
    "page: signed in and out": VISITORS,
    "page: rooms made without scripts": ROOMS,
    "page: posts without scripts": MESSAGES,
    "page: room joined and left without scripts": MEMBERS,
    "API: sign-in": VISITORS,
    "API: sign-in with a phrase": VISITORS,
    "API: preferences changed": PREFERENCES,
    "API: rooms made": ROOMS,
    "API: room changed": REVISIONS,
    "API: invitations listed": INVITES,
    "API: knocks": MEMBERS,
    "API: joins and leaves": MEMBERS,
    "API: members changed": STANDINGS,
    "API: members removed": MEMBERS,
    "API: all messages of members deleted": KEYS,
    "event: members changed": STANDINGS,
    "API: posts": MESSAGES,
    "API: commands run": MESSAGES,
    "API: messages edited": KEYS,
    "API: messages deleted": MESSAGES,
    "API: messages opened once": OPENED,
    "page: messages opened once without scripts": OPENED,
    "API: reactions": CHANGED,
}
"""Queries whose result an attack changes."""

ANSWERS = {
    "event: a room's messages catch up": "messages catchUp",
    "event: a room's messages catch up, 1,000 keys": "messages catchUp",
    "event: a room's messages turn the page": "messages showPage",
    "event: a room's small lists catch up": "members catchUp",
    "event: own rooms catch up": "sidebar catchUp",
    "event: public rooms catch up": "card catchUp",
    "event: public rooms turn the page": "card showPage",
    "event: messages searched": "nicegui-message_search show",
    "event: rooms switched": "nicegui-quick_switch show",
    "event: rooms searched": "nicegui-room_search show",
    "event: answers to transcripts": "nicegui-composer showQuestion",
    "event: answered messages found": "messages showFound",
    "event: room said to have ended": "nicegui-unsent_text created",
    "event: panels opened": "Increase created",
    "event: dialogs": "nicegui-modal_dialog created",
    "event: invitations": "nicegui-copy_link created",
    "event: lobby opened on the page": "card created",
    "event: room opened on the page": "messages created",
    "event: nicknames suggested": "nicegui-sign_in fill",
    "event: what was purged catches up": "purge_stats catchUp",
}
"""What the pages of an attack receive: calls of script methods, and new elements."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(folder: Path) -> Site:
    return asyncio.run(fill_site(folder / "data", rooms=1, screens=1, own_messages=40))


@pytest.fixture(scope="module")
def server(folder: Path, site: Site) -> Iterator[Node]:
    server = anonchat(folder / "data", plugins=str(PLUGIN))
    asyncio.run(server.start())
    yield server
    server.kill()


@pytest.fixture
def scene(site: Site, server: Node) -> Scene:
    return site.for_server(server.url, address="127.0.0.2", browser=CONNECTIONS)


@pytest.mark.parametrize("way", [*WAYS.values(), *MIXES.values()], ids=lambda way: way.name)
async def test_attack_reaches_its_target(way: Way, scene: Scene, folder: Path) -> None:
    database = folder / "data" / "anonchat.db"
    before = read(database, CHANGES[way.name]) if way.name in CHANGES else None
    async with Client(scene.url, scene.address) as client:
        attack = Attack(way, client, scene, within_limits=False)
        await attack.prepare()
        attack.begin(acts=ACTS)
        await attack.finish()
        await attack.end()
        assert attack.done + attack.unanswered, attack.last_refusal
        if way.name in CHANGES:
            await wait_until(lambda: read(database, CHANGES[way.name]) != before)
        if way.name in ANSWERS:
            await wait_until(lambda: client.method_calls[ANSWERS[way.name]] > 0)


async def test_attacker_process_counts_requests_until_stopped(scene: Scene) -> None:
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


async def test_every_page_event_and_api_route_has_an_attack(
    site: Site, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check_coverage(scene, site.non_member)
    for name, missing in (
        ("event: posts", "nicegui-composer post"),
        ("API: own rooms", "GET /rooms/mine"),
        ("page: /pass with a false solution", "POST /pass"),
    ):
        others = {each: way for each, way in WAYS.items() if way.covers != WAYS[name].covers}
        monkeypatch.setattr(catalogue, "WAYS", others)
        with pytest.raises(RuntimeError, match=missing):
            await check_coverage(scene, site.non_member)


async def test_conversation_times_each_post_on_each_screen(site: Site, server: Node) -> None:
    async with BackgroundConversation(server.url, site.people, rate=10) as conversation:
        result = await (await conversation.measure(1.0))()
    assert result.posted
    assert len(result.latencies) == result.posted
    assert not result.missing
    assert not result.refused
    assert 0 < result.p50 <= result.p99


async def test_pace_stays_within_the_rate_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = Pace(["socket_events_per_page", "new_rooms_per_visitor"], pages=6)
    for _ in range(100):
        await pace.wait()
    assert not waits
    await pace.wait()
    assert waits[0] > 5  # a burst of 100, then one every six seconds
    unpaced = Pace([], pages=1)
    await unpaced.wait()
    assert len(waits) == 1


def test_attacks_are_found_by_any_part_of_their_names() -> None:
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
def test_client_rejects_addresses_other_than_loopback(url: str, address: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Client(url, address)


def test_limits_named_by_attacks_are_settings() -> None:
    assert {name for way in WAYS.values() for name in way.allowed} <= UNLIMITED.keys()


def read(database: Path, query: str) -> object:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchone()


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
