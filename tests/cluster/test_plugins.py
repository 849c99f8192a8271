"""The example plugin of the contract, word for word, and our own polls on three nodes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from anonchat import Chat
from anonchat.settings import Settings
from tests.browser.person import Person
from tests.browser.world import World
from tests.cluster import witness
from tests.cluster.people import join_on_nodes
from tests.fakes import UNLIMITED
from tests.plugins.test_contract import EXAMPLE
from tests.servers.forked_cluster import ForkedCluster
from tests.timeouts import DEADLINE
from tools.cluster import Cluster

_ALARMS = ("ERROR", "CRITICAL", "Traceback")
_TICKS = 6  # of a job that is run every second

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file in which all nodes write."""
    return tmp_path_factory.mktemp("witness") / "lines"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(heard: Path) -> AsyncIterator[Cluster]:
    plugins = f"{EXAMPLE},{witness.__file__}"
    settings = {**UNLIMITED, "plugins": plugins, "witness_file": str(heard)}
    async with ForkedCluster(settings=settings) as cluster:
        yield cluster
        log_lines = [entry for node in cluster.nodes for entry in node.log.splitlines()]
        assert not [entry for entry in log_lines if any(word in entry for word in _ALARMS)]


@pytest_asyncio.fixture(loop_scope="module")
async def chat(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Chat]:
    """Run a fourth node without plugins in this process, to look into the state of rooms."""
    node = cluster.nodes[0]
    shared = {name: node.settings[name] for name in ("database_url", "bus_url", "secret_key")}
    chat = Chat(Settings.model_validate({**shared, "data_dir": tmp_path, "node_id": "n4"}))
    await chat.start()
    yield chat
    await chat.stop()


def dice(person: Person) -> Locator:
    return person.log.locator("[data-key] .dice")


def tab(person: Person, name: str) -> Locator:
    return person.page.get_by_role("tab", name=name, exact=True)


def panel(person: Person, name: str) -> Locator:
    return person.page.get_by_role("tabpanel", name=name, exact=True)


async def test_command_action_renderer_and_mark_are_seen_on_all_nodes(
    world: World, cluster: Cluster
) -> None:
    room = world.name("dice")
    ann, mira, zoe = people = await join_on_nodes(world, cluster, room, "Ann", "Mira", "Zoë")
    await ann.send_message("/roll 3")
    for person in people:
        await expect(dice(person).locator("b")).to_have_count(3)
    await mira.button("Roll").click()
    for person in people:
        await expect(dice(person)).to_have_count(2)
        await expect(dice(person).last.locator("b")).to_have_count(2)
    rolled = await dice(ann).all_inner_texts()
    for person in people:
        assert await dice(person).all_inner_texts() == rolled
    await zoe.send_message("well :tada: done")
    for person in people:
        await expect(person.log).to_contain_text("well 🎉 done")


async def test_filter_refuses_on_all_nodes(world: World, cluster: Cluster) -> None:
    people = await join_on_nodes(world, cluster, world.name("calm"), "Ann", "Mira", "Zoë")
    for person in people:
        await person.send_message("HELLO")
        await person.expect_alert("Please do not shout")
        await person.post_messages(f"hello from {person.nickname}")
    await people[0].expect_messages(*(f"hello from {person.nickname}" for person in people))


async def test_panel_keeps_votes_of_all_nodes_in_the_state_of_the_room(
    world: World, cluster: Cluster, chat: Chat
) -> None:
    room = world.name("tea room")
    people = await join_on_nodes(world, cluster, room, "Ann", "Mira", "Zoë")
    (room_id,) = [each.id for each in chat.room_directory.list_all() if each.name == room]
    drinks = ["tea", "coffee", "tea"]
    for number, (person, drink) in enumerate(zip(people, drinks, strict=True), 1):
        await tab(person, "Poll").click()
        await panel(person, "Poll").get_by_role("combobox").click()
        await person.page.get_by_role("option", name=drink, exact=True).click()
        wanted = sorted(drinks[:number])
        await person.expect_eventually(lambda: _read_votes(chat, room_id), wanted)


async def test_polls_are_redrawn_on_all_nodes(world: World, cluster: Cluster) -> None:
    room = world.name("polls")
    ann, mira, zoe = people = await join_on_nodes(world, cluster, room, "Ann", "Mira", "Zoë")
    await ann.send_message('/poll "Tea or coffee?" tea coffee')
    for person in people:
        await tab(person, "Polls").click()
        await expect(panel(person, "Polls").get_by_role("button", name="tea")).to_be_visible()
    for number, person in enumerate((mira, zoe), 1):
        await panel(person, "Polls").get_by_role("button", name="tea").click()
        for other in people:
            await expect(panel(other, "Polls")).to_contain_text(str(number))
    await panel(ann, "Polls").get_by_role("button", name="Close the poll").click()
    for person in people:
        await expect(panel(person, "Polls")).to_contain_text("No poll is open.")


async def test_listener_hears_each_message_once(
    world: World, cluster: Cluster, heard: Path
) -> None:
    people = await join_on_nodes(world, cluster, world.name("bell"), "Ann", "Mira", "Zoë")
    texts = [f"{world.name(text)} of {person.nickname}" for text in "ab" for person in people]
    for text, person in zip(texts, [*people, *people], strict=True):
        await person.post_messages(text)
    await _wait_until(lambda: any(line.endswith(f"heard {texts[-1]}") for line in _read(heard)))
    await _wait_for_ticks(heard, 2)  # by then other nodes would have heard it too
    lines = [line.partition(" heard ") for line in _read(heard)]
    assert sorted(text for _, _, text in lines if text in texts) == sorted(texts)
    assert len({pid for pid, _, text in lines if text in texts}) == len(cluster.nodes)


async def test_job_is_run_by_one_node_at_a_time(cluster: Cluster, heard: Path) -> None:
    started = time.monotonic()
    await _wait_for_ticks(heard, _TICKS)
    assert time.monotonic() - started > _TICKS - 2, "several nodes ran it for the same second"


async def _read_votes(chat: Chat, room_id: str) -> list[str]:
    state: dict[str, Any] = await chat.room_states.read(room_id, "dice")
    return sorted(state.get("votes", {}).values())


async def _wait_for_ticks(heard: Path, count: int) -> None:
    wanted = _count_ticks(heard) + count
    await _wait_until(lambda: _count_ticks(heard) >= wanted)


async def _wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - other processes write the file
            await asyncio.sleep(0.05)


def _count_ticks(heard: Path) -> int:
    return sum(line.endswith("ticked") for line in _read(heard))


def _read(heard: Path) -> list[str]:
    return heard.read_text().splitlines() if heard.exists() else []
