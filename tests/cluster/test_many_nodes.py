"""Visitors on different nodes of a cluster share one site."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.api.api_client import ApiClient
from tests.browser.world import World
from tests.cluster.people import join_on_nodes, move_to, node_of
from tests.fakes import UNLIMITED
from tests.servers.forked_cluster import ForkedCluster
from tests.timeouts import DEADLINE
from tools.cluster import Cluster
from tools.servers.node import Node

POSTS = 30
TTL = "10s"
SETTINGS = {**UNLIMITED, "janitor_interval": "2s", "posts_per_visitor": f"{POSTS}/5m"}
_STATS = re.compile(r"\d+ messages? forgotten, \d+ rooms?, \d+ visitors?")
_ALARMS = ("ERROR", "CRITICAL", "Traceback")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    async with ForkedCluster(settings=SETTINGS) as cluster:
        yield cluster
        log_lines = [entry for node in cluster.nodes for entry in node.log.splitlines()]
        assert not [entry for entry in log_lines if any(word in entry for word in _ALARMS)]


@pytest_asyncio.fixture(loop_scope="module")
async def clients(cluster: Cluster) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Open an HTTP client for each node, without nginx."""
    clients = [
        httpx.AsyncClient(base_url=f"http://{node.address}/api/v1", timeout=DEADLINE)
        for node in cluster.nodes
    ]
    yield clients
    for client in clients:
        await client.aclose()


async def test_members_on_three_nodes_exchange_messages_and_presence(
    world: World, cluster: Cluster
) -> None:
    room = world.name("night train")
    ann, mira, zoe = people = await join_on_nodes(world, cluster, room, "Ann", "Mira", "Zoë")
    for person in people:
        await person.post_messages(f"hello from {person.nickname}")
    for person in people:
        await person.expect_messages(*(f"hello from {other.nickname}" for other in people))
        await expect(person.own_room(room)).to_contain_text("3 here")
        for other in people:
            await expect(person.members).to_contain_text(other.nickname)
    await zoe.leave_room()
    for person in (ann, mira):
        await expect(person.members).not_to_contain_text(zoe.nickname)
        await expect(person.own_room(room)).to_contain_text("2 here")


async def test_lobby_on_another_node_shows_rooms_presence_and_unread_counts(
    world: World, cluster: Cluster
) -> None:
    room = world.name("night train")
    watcher = await world.visitor("Watcher")
    await move_to(watcher, cluster.nodes[2])
    ann, mira = await join_on_nodes(world, cluster, room, "Ann", "Mira")
    await expect(watcher.public_room(room)).to_contain_text("2 here")
    await watcher.open_room(room)
    await watcher.open_path("/")
    await move_to(watcher, cluster.nodes[2])
    await ann.post_messages("one")
    await mira.post_messages("two")
    await expect(watcher.own_room(room)).to_contain_text("2 unread")
    await mira.page.close()
    await expect(watcher.own_room(room)).to_contain_text("1 here")
    await watcher.own_room(room).get_by_role("link").click()
    await watcher.expect_messages("one", "two")
    await watcher.open_path("/")
    for node in cluster.nodes:
        await move_to(watcher, node)
        await expect(watcher.own_room(room)).to_be_visible()
        await expect(watcher.own_room(room).get_by_text("unread")).to_be_hidden()


async def test_expired_or_deleted_message_disappears_on_all_nodes(
    world: World, cluster: Cluster, clients: list[httpx.AsyncClient]
) -> None:
    room = world.name("ferry")
    host = await _sign_in(clients[0], world.name("Host"))
    await host.open(room, message_ttl=TTL)
    ann, mira, zoe = people = await join_on_nodes(world, cluster, room, "Ann", "Mira", "Zoë")
    await ann.post_messages("now or never")
    await mira.post_messages("a slip")
    await zoe.expect_message("a slip")
    await mira.delete_message("a slip")
    for person in people:
        await person.expect_no_message("a slip")
    for person in people:
        await person.expect_no_message("now or never")


async def test_forgotten_visitor_is_removed_on_all_nodes(world: World, cluster: Cluster) -> None:
    room = world.name("night train")
    ann, mira, zoe = await join_on_nodes(world, cluster, room, "Ann", "Mira", "Zoë")
    await ann.post_messages("remember me")
    await mira.post_messages("I shall")
    await zoe.expect_messages("remember me", "I shall")
    await ann.forget_me()
    await ann.expect_path("/login")
    for person in (mira, zoe):
        await person.expect_no_message("remember me")
        await expect(person.members).not_to_contain_text(ann.nickname)
        await person.expect_messages("I shall")


async def test_burnt_room_ends_on_all_nodes(world: World, cluster: Cluster) -> None:
    room = world.name("night train")
    people = await join_on_nodes(world, cluster, room, "Ann", "Mira")
    await people[1].post_messages("good night")
    await people[0].button("Burn room").click()
    await people[0].button("Yes, burn it now").click()
    for person in people:
        await person.expect_alert("This room was burnt.")
        await person.open_path("/")
        await expect(person.public_room(room)).to_have_count(0)


async def test_post_rate_limit_is_shared_by_all_nodes(
    clients: list[httpx.AsyncClient], world: World
) -> None:
    flood = await _sign_in(clients[0], world.name("Flood"))
    slug = (await flood.open(world.name("flood")))["slug"]
    on_second = ApiClient(clients[1], flood.token)
    assert await _post_until_refused(flood, slug) == POSTS
    assert await _post_until_refused(on_second, slug) < POSTS / 2, "each node has its own limit"


async def test_purge_stats_are_equal_on_the_privacy_pages_of_all_nodes(
    cluster: Cluster, clients: list[httpx.AsyncClient], world: World
) -> None:
    ann = await _sign_in(clients[0], world.name("Ann"))
    slug = (await ann.open(world.name("counts")))["slug"]
    (deleted,) = await ann.say(slug, "a slip")
    before = await _read_purge_stats(cluster)
    await ApiClient(clients[1], ann.token).ask("DELETE", f"/rooms/{slug}/messages/{deleted['id']}")
    async with asyncio.timeout(DEADLINE):
        while True:
            after = await _read_purge_stats(cluster)
            if len(set(after)) == 1 and after[0] not in before:
                return


async def _read_purge_stats(cluster: Cluster) -> list[str]:
    """Return the purge statistics on the privacy page of each node."""
    stats = []
    async with httpx.AsyncClient(timeout=DEADLINE) as browser:
        for node in cluster.nodes:
            page = await browser.get(f"http://{node.address}/privacy")
            (found,) = _STATS.findall(page.raise_for_status().text)
            stats.append(found)
    return stats


async def test_token_revoked_on_one_node_is_rejected_on_the_others(
    clients: list[httpx.AsyncClient], world: World
) -> None:
    ann = await _sign_in(clients[0], world.name("Ann"))
    others = [ApiClient(client, ann.token) for client in clients[1:]]
    for other in others:
        assert (await other.call("GET", "/rooms/mine")).status_code == 200
    await ann.call("DELETE", "/visitors/me")
    async with asyncio.timeout(DEADLINE):
        for other in others:
            while (await other.call("GET", "/rooms/mine")).status_code != 401:
                pass


@pytest.mark.parametrize("stop", [Node.stop, Node.kill], ids=["drained", "killed"])
async def test_pages_of_a_stopped_node_move_to_another_and_keep_the_draft(
    world: World, cluster: Cluster, stop: Callable[[Node], Awaitable[None] | None]
) -> None:
    room = world.name("tram")
    ann, ben = await join_on_nodes(world, cluster, room, "Ann", "Ben")
    await ann.fill_message("I was just about to")
    await ann.page.evaluate("window.socket.on('move', () => (sessionStorage.moved = 'yes'))")
    node = cluster.nodes[0]
    try:
        if stopping := stop(node):
            await stopping
        await ben.post_messages("are you there?")
        await ann.expect_message("are you there?")
        await ann.expect_connected()
        assert await node_of(ann) != node.name
        moved = await ann.page.evaluate("sessionStorage.moved")
        assert moved == ("yes" if stop is Node.stop else None)
        await expect(ann.message_input).to_have_value("I was just about to")
        await ann.message_input.press("Enter")
        await ben.expect_message("I was just about to")
    finally:
        await node.start()
    ann.errors.clear()  # the browser logs the closed connection


async def _sign_in(client: httpx.AsyncClient, nickname: str) -> ApiClient:
    answer = await client.post("/visitors", json={"nickname": nickname})
    return ApiClient(client, answer.raise_for_status().json()["token"])


async def _post_until_refused(program: ApiClient, slug: str) -> int:
    for number in range(2 * POSTS):
        answer = await program.call("POST", f"/rooms/{slug}/messages", json={"text": f"{number}"})
        if answer.status_code == 429:
            return number
        await asyncio.sleep(0.05)
    return 2 * POSTS
