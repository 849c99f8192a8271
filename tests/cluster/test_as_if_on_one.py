"""People on different nodes of one site are together as if there were one node."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.api.program import Program
from tests.browser.house import PATIENCE
from tests.browser.person import Person
from tests.browser.world import Wardrobe, World, open_wardrobe
from tests.fakes import UNLIMITED
from tools.cluster import Cluster, Node

POSTS = 30
TTL = "10s"
SETTINGS = {**UNLIMITED, "janitor_interval": "2s", "posts_per_visitor": f"{POSTS}/5m"}
_FORGOTTEN = re.compile(r"\d+ messages? forgotten, \d+ rooms?, \d+ visitors?")
_ALARMS = ("ERROR", "CRITICAL", "Traceback")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(settings=SETTINGS) as cluster:
        yield cluster
        lines = [line for node in cluster.nodes for line in node.log.splitlines()]
        assert not [line for line in lines if any(word in line for word in _ALARMS)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wardrobe() -> AsyncIterator[Wardrobe]:
    async with open_wardrobe() as wardrobe:
        yield wardrobe


@pytest_asyncio.fixture(loop_scope="module")
async def world(cluster: Cluster, wardrobe: Wardrobe) -> AsyncIterator[World]:
    world = World(cluster, wardrobe)
    yield world
    await world.end()


@pytest_asyncio.fixture(loop_scope="module")
async def lines(cluster: Cluster) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Give a line to each node that passes nginx by."""
    lines = [
        httpx.AsyncClient(base_url=f"http://{node.address}/api/v1", timeout=PATIENCE)
        for node in cluster.nodes
    ]
    yield lines
    for line in lines:
        await line.aclose()


async def _gather(world: World, cluster: Cluster, room: str, *names: str) -> list[Person]:
    """Let people come in and be in a room, each on a node of their own."""
    people = await world.members(room, *names)
    for person, node in zip(people, cluster.nodes, strict=False):
        await _moves_to(person, node)
    return people


async def _moves_to(person: Person, node: Node) -> None:
    """Load the page until that node draws it."""
    async with asyncio.timeout(PATIENCE):
        while await _node_of(person) != node.name:
            await person.page.reload()
            await person.is_connected()


async def _node_of(person: Person) -> object:
    """Return the name of the node that has drawn the page."""
    return await person.page.evaluate("window.socket?.io.opts.query.node")


async def test_people_on_three_nodes_talk_and_see_each_other(
    world: World, cluster: Cluster
) -> None:
    room = world.name("night train")
    ann, mira, zoe = people = await _gather(world, cluster, room, "Ann", "Mira", "Zoë")
    for person in people:
        await person.says(f"hello from {person.nickname}")
    for person in people:
        await person.has_heard(*(f"hello from {other.nickname}" for other in people))
        await expect(person.own_room(room)).to_contain_text("3 here")
        for other in people:
            await expect(person.members).to_contain_text(other.nickname)
    await zoe.leaves()
    for person in (ann, mira):
        await expect(person.members).not_to_contain_text(zoe.nickname)
        await expect(person.own_room(room)).to_contain_text("2 here")


async def test_a_lobby_on_another_node_shows_rooms_who_is_there_and_what_is_unread(
    world: World, cluster: Cluster
) -> None:
    room = world.name("night train")
    watcher = await world.visitor("Watcher")
    await _moves_to(watcher, cluster.nodes[2])
    ann, mira = await _gather(world, cluster, room, "Ann", "Mira")
    await expect(watcher.public_room(room)).to_contain_text("2 here")
    await watcher.opens(room)
    await watcher.goes_to("/")
    await _moves_to(watcher, cluster.nodes[2])
    await ann.says("one")
    await mira.says("two")
    await expect(watcher.own_room(room)).to_contain_text("2 unread")
    await mira.page.close()
    await expect(watcher.own_room(room)).to_contain_text("1 here")
    await watcher.own_room(room).get_by_role("link").click()
    await watcher.has_heard("one", "two")
    await watcher.goes_to("/")
    for node in cluster.nodes:
        await _moves_to(watcher, node)
        await expect(watcher.own_room(room)).to_be_visible()
        await expect(watcher.own_room(room).get_by_text("unread")).to_be_hidden()


async def test_what_expires_or_is_taken_back_goes_from_the_screens_of_all_nodes(
    world: World, cluster: Cluster, lines: list[httpx.AsyncClient]
) -> None:
    room = world.name("ferry")
    host = await _come_in(lines[0], world.name("Host"))
    await host.open(room, message_ttl=TTL)
    ann, mira, zoe = people = await _gather(world, cluster, room, "Ann", "Mira", "Zoë")
    await ann.says("now or never")
    await mira.says("a slip")
    await zoe.sees("a slip")
    await mira.message("a slip").hover()
    await mira.message("a slip").get_by_role("button", name="Delete").click()
    await mira.message("a slip").get_by_role("button", name="Delete for everybody?").click()
    for person in people:
        await person.sees_no("a slip")
    for person in people:
        await person.sees_no("now or never")


async def test_who_is_forgotten_is_forgotten_on_all_nodes(world: World, cluster: Cluster) -> None:
    room = world.name("night train")
    ann, mira, zoe = await _gather(world, cluster, room, "Ann", "Mira", "Zoë")
    await ann.says("remember me")
    await mira.says("I shall")
    await zoe.has_heard("remember me", "I shall")
    await ann.asks_to_be_forgotten()
    await ann.is_at("/login")
    for person in (mira, zoe):
        await person.sees_no("remember me")
        await expect(person.members).not_to_contain_text(ann.nickname)
        await person.has_heard("I shall")


async def test_a_burnt_room_leads_everybody_away_on_all_nodes(
    world: World, cluster: Cluster
) -> None:
    room = world.name("night train")
    people = await _gather(world, cluster, room, "Ann", "Mira")
    await people[1].says("good night")
    await people[0].button("Burn room").click()
    await people[0].button("Yes, burn it now").click()
    for person in people:
        await person.is_at("/")
        await expect(person.public_room(room)).to_have_count(0)


async def test_who_posts_too_often_is_held_back_on_all_nodes_together(
    lines: list[httpx.AsyncClient], world: World
) -> None:
    flood = await _come_in(lines[0], world.name("Flood"))
    slug = (await flood.open(world.name("flood")))["slug"]
    there = Program(lines[1], flood.token)
    assert await _post_until_refused(flood, slug) == POSTS
    assert await _post_until_refused(there, slug) < POSTS / 2, "each node has a limit of its own"


async def test_what_was_forgotten_is_counted_the_same_on_the_privacy_pages_of_all_nodes(
    cluster: Cluster, lines: list[httpx.AsyncClient], world: World
) -> None:
    ann = await _come_in(lines[0], world.name("Ann"))
    slug = (await ann.open(world.name("ledger")))["slug"]
    (slip,) = await ann.say(slug, "a slip")
    before = await _read_ledgers(cluster)
    await Program(lines[1], ann.token).ask("DELETE", f"/rooms/{slug}/messages/{slip['id']}")
    async with asyncio.timeout(PATIENCE):
        while True:
            after = await _read_ledgers(cluster)
            if len(set(after)) == 1 and after[0] not in before:
                return


async def _read_ledgers(cluster: Cluster) -> list[str]:
    """Return what each node says that it has forgotten."""
    told = []
    async with httpx.AsyncClient(timeout=PATIENCE) as browser:
        for node in cluster.nodes:
            page = await browser.get(f"http://{node.address}/privacy")
            (line,) = _FORGOTTEN.findall(page.raise_for_status().text)
            told.append(line)
    return told


async def test_a_token_that_is_revoked_on_one_node_opens_nothing_on_the_others(
    lines: list[httpx.AsyncClient], world: World
) -> None:
    ann = await _come_in(lines[0], world.name("Ann"))
    others = [Program(line, ann.token) for line in lines[1:]]
    for other in others:
        assert (await other.call("GET", "/rooms/mine")).status_code == 200
    await ann.call("DELETE", "/visitors/me")
    async with asyncio.timeout(PATIENCE):
        for other in others:
            while (await other.call("GET", "/rooms/mine")).status_code != 401:
                pass


@pytest.mark.parametrize("end", [Node.stop, Node.kill], ids=["is drained", "is killed"])
async def test_the_screens_of_a_node_that_goes_come_to_another_with_what_was_being_written(
    world: World, cluster: Cluster, end: Callable[[Node], Awaitable[None] | None]
) -> None:
    room = world.name("tram")
    ann, ben = await _gather(world, cluster, room, "Ann", "Ben")
    await ann.types("I was just about to")
    await ann.page.evaluate("window.socket.on('move', () => (sessionStorage.told = 'to move'))")
    node = cluster.nodes[0]
    try:
        if ended := end(node):
            await ended
        await ben.says("are you there?")
        await ann.sees("are you there?")
        await ann.is_connected()
        assert await _node_of(ann) != node.name
        told = await ann.page.evaluate("sessionStorage.told")
        assert told == ("to move" if end is Node.stop else None)
        await expect(ann.box).to_have_value("I was just about to")
        await ann.box.press("Enter")
        await ben.sees("I was just about to")
    finally:
        await node.start()
    ann.complaints.clear()  # a browser tells of a line that was cut


async def _come_in(line: httpx.AsyncClient, nickname: str) -> Program:
    answer = await line.post("/visitors", json={"nickname": nickname})
    return Program(line, answer.raise_for_status().json()["token"])


async def _post_until_refused(program: Program, slug: str) -> int:
    for number in range(2 * POSTS):
        answer = await program.call("POST", f"/rooms/{slug}/messages", json={"text": f"{number}"})
        if answer.status_code == 429:
            return number
        await asyncio.sleep(0.05)
    return 2 * POSTS
