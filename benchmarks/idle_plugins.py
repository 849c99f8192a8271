"""Ten plugins that do nothing: what they add to a post, and to the opening of a room."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from anonchat import Chat
from anonchat.i18n.languages import load_languages
from anonchat.plugins.host import PluginHost
from anonchat.plugins.loading import load_plugins
from anonchat.plugins.registry import PluginRegistry
from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import anonchat
from pages.server import tune_gc
from tests.fakes import make_settings
from tools.servers.node import Node

_PLUGINS = 10
_POSTERS = 64
_POSTS = 2_000  # in a round
_ROUNDS = 15
_SCREENS = 30  # in a round
_CALLS = 100  # in a round, by each of four members
_SETTLE_SECONDS = 2.0
_TEXT = "the quick brown fox jumps over the lazy dog"
_IDLE = '''
from anonchat.plugins import Draft, Member, Message, MessagePosted, Plugin, Room, RoomState

plugin = Plugin("idle-{number}")


@plugin.command()
def idle_{number}(times: int = 1) -> None:
    """Do nothing."""


@plugin.filter
def check(draft: Draft) -> None: ...


@plugin.renderer("idle-{number}")
def draw(message: Message) -> str:
    return message.text


@plugin.inline(":idle-{number}:")
def mark(match) -> str:
    return ""


@plugin.panel("Idle {number}")
def panel(state: RoomState) -> None: ...


@plugin.action("Idle {number}", where="message")
def act(room: Room, member: Member) -> None: ...


@plugin.page("/idle-{number}", title="Idle {number}", in_menu=True)
def page() -> None: ...


@plugin.on(MessagePosted)
async def hear(event: MessagePosted) -> None: ...


@plugin.every("1h")
async def work() -> None: ...
'''


@dataclass
class _Site:
    """A site with some plugins, and what each round has cost, in seconds of the processor."""

    chat: Chat
    host: PluginHost
    room: str
    guests: list[str]
    costs: list[float] = field(default_factory=list)


async def measure(lab: Lab) -> Outcome:
    """Post and open rooms with and without the plugins, in turns."""
    folder = lab.folder / "plugins"
    folder.mkdir()
    for number in range(_PLUGINS):
        (folder / f"idle{number}.py").write_text(_IDLE.replace("{number}", str(number)))
    stored = await _measure_stores(lab, folder)
    alone, beside = await _measure_servers(lab, folder)
    times = beside.post_cost / alone.post_cost
    return Outcome(
        goals=[
            Goal(
                f"a post over the API: server processor time, with {_PLUGINS} idle plugins",
                f"≤ 1.05 × without ({alone.post_cost * 1e6:.0f} µs)",
                f"{beside.post_cost * 1e6:.0f} µs, {times:.2f} ×",
                times <= 1.05,
                "Each of the ten filters and ten listeners is a call with a deadline, a check of "
                "its result and a measurement of how long it blocked.",
            ),
            Goal(
                f"opening a room: server processor time, with {_PLUGINS} idle plugins",
                f"≤ 1 ms more than without ({alone.opening_cost * 1e3:.1f} ms)",
                f"{beside.opening_cost * 1e3:.1f} ms",
                beside.opening_cost - alone.opening_cost <= 1e-3,
                "The panels, and the items of the menus, are part of the page.",
            ),
        ],
        tables=[
            Table(
                "Idle plugins",
                [
                    "plugins",
                    "µs to store a post",
                    "µs for a post over the API",
                    "ms for an opening",
                ],
                [
                    ["none, not even ours", f"{stored[0] * 1e6:.0f}", "", ""],
                    ["ours alone", f"{stored[1] * 1e6:.0f}", *_format(alone)],
                    [f"ours and {_PLUGINS} idle ones", f"{stored[2] * 1e6:.0f}", *_format(beside)],
                ],
                "Processor time of the server. Each idle plugin has a command, a filter, a "
                "renderer, an inline mark, a panel, an action of messages, a page in the menu, a "
                "listener and a job, none of which does anything. The sites take turns; a figure "
                "is the median of its rounds. To store a post is what is measured above: shared "
                "commits of the service, without HTTP and pages.",
            )
        ],
    )


def _format(server: "_Server") -> list[str]:
    return [f"{server.post_cost * 1e6:.0f}", f"{server.opening_cost * 1e3:.1f}"]


async def _measure_stores(lab: Lab, folder: Path) -> list[float]:
    """Return what it costs to store a post: without plugins, with ours, and with all."""
    posters, posts = lab.scaled(_POSTERS, minimum=4), lab.scaled(_POSTS, minimum=50)
    without = ",".join(f"-{plugin.name}" for plugin in load_plugins(""))
    async with AsyncExitStack() as stack:
        sites = [
            await stack.enter_async_context(
                _open_site(lab.folder / f"store{number}" / "data", plugins, posters)
            )
            for number, plugins in enumerate((without, "", str(folder)))
        ]
        tune_gc()
        for _ in range(lab.scaled(_ROUNDS, minimum=2) + 1):
            for site in sites:
                site.costs.append(await _post(site, posts))
    return [_median(site.costs) for site in sites]


@asynccontextmanager
async def _open_site(data: Path, plugins: str, posters: int) -> AsyncIterator[_Site]:
    async with seeding(data) as seeder:
        guests = await seeder.add_visitors(posters)
        (room,) = await seeder.add_rooms(1)
        await seeder.add_members([(room, guest) for guest in guests])
    registry = PluginRegistry(load_plugins(plugins))
    chat = Chat(make_settings(data))
    host = PluginHost(chat, registry, load_languages(registry.locales))
    await chat.start()
    host.start()
    await chat.memberships.list_all(room.id)  # cached then, as while anybody has the room open
    try:
        yield _Site(chat, host, room.id, [guest.id for guest in guests])
    finally:
        await host.stop()
        await chat.stop()


async def _post(site: _Site, posts: int) -> float:
    """Return the seconds of the processor for each of some posts."""

    async def keep_posting(guest: str) -> None:
        for _ in range(posts // len(site.guests)):
            await site.chat.messages.post(site.room, visitor_id=guest, text=_TEXT)

    started = time.process_time()
    await asyncio.gather(*map(keep_posting, site.guests))
    await site.host.listeners.finish()
    return (time.process_time() - started) / (posts // len(site.guests) * len(site.guests))


def _median(costs: list[float]) -> float:
    return statistics.median(costs[1:])  # the first round warms up


async def _measure_servers(lab: Lab, folder: Path) -> tuple["_Server", "_Server"]:
    """Measure posts and openings of a server without and of one with the plugins, in turns."""
    screens = lab.scaled(_SCREENS, minimum=2)
    servers: list[_Server] = []
    async with AsyncExitStack() as stack:
        for number, plugins in enumerate(("", str(folder))):
            data = lab.folder / f"server{number}" / "data"
            specs = await _seed_rooms(data, screens)
            node = await stack.enter_async_context(anonchat(data, plugins=plugins))
            servers.append(_Server(node, specs))
        for _ in range(lab.scaled(_ROUNDS, minimum=2) + 1):
            for server in servers:
                await server.open()
                await server.post(lab.scaled(_CALLS, minimum=10))
    alone, beside = servers
    return alone, beside


@dataclass
class _Server:
    """A server, and what each round has cost, in seconds of the processor."""

    node: Node
    specs: list[dict[str, str]]
    posts: list[float] = field(default_factory=list)
    openings: list[float] = field(default_factory=list)

    @property
    def post_cost(self) -> float:
        """The seconds for a post."""
        return _median(self.posts)

    @property
    def opening_cost(self) -> float:
        """The seconds for the opening of a room."""
        return _median(self.openings)

    async def post(self, calls: int) -> None:
        """Post by the API as members of rooms, four at a time."""
        before = self.node.processor_seconds()
        async with httpx.AsyncClient(base_url=f"{self.node.url}/api/v1") as client:

            async def post_each(spec: dict[str, str]) -> None:
                headers = {"Authorization": f"Bearer {spec['token']}"}
                path = f"/rooms/{spec['room']}/messages"
                for _ in range(calls):
                    answer = await client.post(path, json={"text": _TEXT}, headers=headers)
                    answer.raise_for_status()

            posters = self.specs[:4]
            await asyncio.gather(*map(post_each, posters))
        cost = (self.node.processor_seconds() - before) / (calls * len(posters))
        self.posts.append(cost)

    async def open(self) -> None:
        """Open each room; the screens are closed again by the next opening."""
        before = self.node.processor_seconds()
        async with Load() as load:
            await load.open("anonchat", self.node.url, self.specs, at_once=2)
            await asyncio.sleep(_SETTLE_SECONDS)
            self.openings.append((self.node.processor_seconds() - before) / len(self.specs))
        await asyncio.sleep(_SETTLE_SECONDS)  # until the closed screens are gone


async def _seed_rooms(data: Path, screens: int) -> list[dict[str, str]]:
    async with seeding(data) as seeder:
        guests = await seeder.add_visitors(screens)
        rooms = await seeder.add_rooms(screens)
        await seeder.add_members(list(zip(rooms, guests, strict=True)))
    return [
        {"room": seeder.room_name(room.id), "token": guest.token}
        for room, guest in zip(rooms, guests, strict=True)
    ]
