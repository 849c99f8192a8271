"""People whose pages are rendered by chosen nodes."""

import asyncio

from tests.browser.person import Person
from tests.browser.world import World
from tests.timeouts import DEADLINE
from tools.cluster import Cluster
from tools.servers.node import Node


async def join_on_nodes(world: World, cluster: Cluster, room: str, *names: str) -> list[Person]:
    """Sign visitors in and let them join a room, each on a different node."""
    people = await world.members(room, *names)
    for person, node in zip(people, cluster.nodes, strict=False):
        await move_to(person, node)
    return people


async def move_to(person: Person, node: Node) -> None:
    """Reload the page until the given node renders it."""
    async with asyncio.timeout(DEADLINE):
        while await node_of(person) != node.name:
            await person.page.reload()
            await person.expect_connected()


async def node_of(person: Person) -> object:
    """Return the name of the node that has rendered the page."""
    return await person.page.evaluate("window.socket?.io.opts.query.node")
