"""A load run with faults: many clients chat while something breaks. A seed repeats its plan."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.browser.tcp_proxy import TcpProxy
from tests.browser.world import BrowserContextPool, Site
from tests.history.api_clients import Program, StreamClient
from tests.history.checker import find_delay, find_faults, find_lateness
from tests.history.place import Place, now
from tests.history.record import Post, Sight
from tests.history.screen import Screen
from tests.history.window import Window, open_window
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

SETTINGS = {"message_ttl_min": "5s", "janitor_interval": "2s"}
_FLEETING_SECONDS = 8
_TOLERANCE = 1.0  # seconds, as promised
_TOO_LONG = "x" * 4_001
_NEWEST = 10  # messages that are reacted to
_EMOJI = ("👍", "🎉")


Disruption = Callable[[Random], Awaitable[None]]
"""Breaks a component and repairs it; the report counts it under the name of the function."""


@dataclass
class Report:
    """The counts and the faults of a run.

    After the end of the last disruption, an acknowledged message was missing on a page or stream
    for at most `delay` seconds; all clients were in the same state after `stable_after` seconds.
    """

    seed: str
    counts: Counter[str] = field(default_factory=Counter)
    lateness: float = 0.0
    delay: float = 0.0
    stable_after: float = 0.0
    faults: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    """How many posts were finally refused, by reason."""
    reader_states: list[str] = field(default_factory=list)
    """The states of pages and streams if a fault was found at the end."""

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        faults = "".join(f"\n  {each}" for each in [*self.faults[:20], *self.reader_states])
        return (
            f"seed {self.seed}: {counted}, rows removed at most {self.lateness:.1f} s late,"
            f" complete after {self.delay:.1f} s, stable after {self.stable_after:.1f} s,"
            f" {len(self.faults)} faults{faults}"
        )

    def add(self, other: "Report") -> None:
        """Add the counts and faults of another run."""
        self.counts.update(other.counts)
        self.lateness = max(self.lateness, other.lateness)
        self.delay = max(self.delay, other.delay)
        self.stable_after = max(self.stable_after, other.stable_after)
        self.faults += other.faults
        self.refusals += other.refusals
        self.reader_states += other.reader_states


def kill_repeatedly(server_process: ServerProcess, times: int) -> Sequence[Disruption]:
    """Return disruptions that each kill the server and restart it."""

    async def kills(random: Random) -> None:
        server_process.kill()
        await asyncio.sleep(random.choice([0, 0, 0.3]))
        await server_process.start()

    return [kills] * times


class Storm:
    """One run on one site, with a room of a long and a room of a short `message_ttl`.

    With browser contexts (`context_pool`), real browsers read too. Events may take
    `propagation_seconds` between nodes during a disruption. At the end, the same messages must be
    readable at all `urls`.
    """

    def __init__(
        self,
        site: Site,
        context_pool: BrowserContextPool | None,
        *,
        seed: str,
        disruptions: Sequence[Disruption],
        propagation_seconds: float = 0.0,
        urls: Sequence[str] = (),
    ) -> None:
        self.report = Report(seed)
        self.lasting = Place(f"harbour-{seed}", ttl=3_600)
        self.fleeting = Place(f"ferry-{seed}", ttl=_FLEETING_SECONDS)
        self._site = site
        self._context_pool = context_pool
        self.disruptions = disruptions
        self._propagation_seconds = propagation_seconds
        self._urls = urls or [site.url]
        self._repaired_at = 0.0
        self._numbers = iter(range(1_000_000))
        self._is_over = asyncio.Event()
        self._open_reactions: set[tuple[str, str, str]] = set()
        self._absent: list[str] = []  # readers who leave and rejoin
        self._proxies: list[TcpProxy] = []
        self._programs: list[Program] = []
        self._screens: dict[Place, list[Screen]] = {self.lasting: [], self.fleeting: []}
        self._streams: dict[Place, list[StreamClient]] = {self.lasting: [], self.fleeting: []}
        self._windows: dict[Place, list[Window]] = {self.lasting: [], self.fleeting: []}
        self._actions: list[Coroutine[Any, Any, None]] = []

    async def run(self) -> Report:
        """Run the load and the disruptions, wait for a stable state, and check the record."""
        try:
            await self._open_rooms()
            async with self._running_clients():
                disrupting = [
                    asyncio.create_task(self._disrupt_connection(proxy)) for proxy in self._proxies
                ]
                acting = [asyncio.create_task(action) for action in self._actions]
                for number, disruption in enumerate(self.disruptions):
                    await self._disrupt(number, disruption)
                self._repaired_at = now()
                self._is_over.set()
                async with asyncio.timeout(DEADLINE):
                    await asyncio.gather(*disrupting, *acting)
                await self._wait_for_stable_state()
                self.report.stable_after = now() - self._repaired_at
        finally:
            for program in self._programs:
                await program.close()
            if self._context_pool:
                for window in self._all(self._windows):
                    await self._context_pool.release(window.context)
            for proxy in self._proxies:
                await proxy.close()
        self._count()
        return self.report

    @contextlib.asynccontextmanager
    async def _running_clients(self) -> AsyncIterator[None]:
        """Start all readers, and prepare the authors."""
        for number, room in enumerate((self.lasting, self.fleeting, self.lasting)):
            await self._add_author(f"Talker {number}")
            await self._add_screen(f"Screen {number}", room, posts=number < 2)
            await self._add_stream(f"Stream {number}", room)
            if number < 2 and self._context_pool:
                await self._add_window(f"Window {number}", self._context_pool, room)
        await self._add_leaver("Wanderer")
        self._actions += [self._sign_in_and_delete_visitors("Guest")]
        readers = [*self._all(self._screens), *self._all(self._streams), *self._all(self._windows)]
        tasks = [asyncio.create_task(reader.live()) for reader in readers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            failed = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
        assert not failed, failed

    # Clients

    async def _open_rooms(self) -> None:
        host = await self._program("Host")
        for room in (self.lasting, self.fleeting):
            slug = await host.open(room.slug, message_ttl=f"{room.ttl}s")
            assert slug == room.slug

    async def _add_proxy(self) -> TcpProxy:
        proxy = TcpProxy(self._site.port)
        await proxy.open()
        self._proxies.append(proxy)
        return proxy

    async def _program(self, name: str, *, url: str = "", sign_in: bool = True) -> Program:
        program = Program(url or self._site.url, f"{name} {self.report.seed}")
        self._programs.append(program)
        if sign_in:
            await program.sign_in()
        return program

    async def _add_author(self, name: str) -> None:
        program = await self._program(name, url=(await self._add_proxy()).url)
        authors = {room: await program.join(room) for room in self._screens}
        self._actions.append(self._talk(name, program, authors))

    async def _add_screen(self, name: str, room: Place, *, posts: bool) -> Screen:
        program = await self._program(name)
        author = await program.join(room)
        url = (await self._add_proxy()).url
        screen = Screen(name, url=url, token=program.token, author=author, room=room)
        self._screens[room].append(screen)
        if posts:
            self._actions.append(self._write(screen))
        return screen

    async def _add_stream(self, name: str, room: Place) -> None:
        program = await self._program(name, url=(await self._add_proxy()).url)
        await program.join(room)
        self._streams[room].append(StreamClient(name, program, room))

    async def _add_window(self, name: str, context_pool: BrowserContextPool, room: Place) -> None:
        program = await self._program(name)
        await program.join(room)
        url = (await self._add_proxy()).url
        window = await open_window(context_pool, name, url=url, token=program.token, room=room)
        self._windows[room].append(window)

    async def _add_leaver(self, name: str) -> None:
        """Add a visitor who leaves and rejoins the room with its page open."""
        self._absent.append(name)
        screen = await self._add_screen(name, self.lasting, posts=False)
        program = await self._program(name, sign_in=False)
        program.token = screen.token
        self._actions.append(self._leave_and_rejoin(name, program, screen))

    # Actions of the clients

    async def _talk(self, name: str, program: Program, authors: dict[Place, str]) -> None:
        """Post, sometimes concurrently or repeatedly; delete some messages; post invalid ones."""
        random = self._random(name)
        posted: list[tuple[Place, Post]] = []
        while not self._is_over.is_set():
            await asyncio.sleep(random.uniform(0.02, 0.2))
            room = random.choice(list(authors))
            actions = {"say": 8, "twice": 2, "again": 1, "edit": 2, "react": 3, "delete": 2}
            match random.choices([*actions, "nonsense"], [*actions.values(), 1]):
                case ["say"] | ["twice"] as action:
                    concurrency = 2 if action == ["twice"] else 1
                    posted.append(
                        (room, await self._say(program, room, authors, concurrency=concurrency))
                    )
                case ["again"] if posted:
                    await program.say_again(*random.choice(posted))
                case ["edit"] if posted:
                    posted_in, post = random.choice(posted)
                    if post.stored and not await program.edit(posted_in, post):
                        posted.remove((posted_in, post))  # a late attempt may undo a later one
                case ["react"]:
                    await self._react(random, program, room, authors[room])
                case ["delete"] if posted:
                    posted_in, post = posted.pop(random.randrange(len(posted)))
                    if post.stored:
                        await program.delete(posted_in, post)
                case ["nonsense"]:
                    await self._say(program, room, authors, suffix=_TOO_LONG)

    async def _react(self, random: Random, program: Program, room: Place, author: str) -> None:
        """Add or remove a reaction to one of the newest messages of anybody."""
        stored = [post for post in list(room.record.posts.values())[-_NEWEST:] if post.stored]
        if not stored:
            return
        post, emoji = random.choice(stored), random.choice(_EMOJI)
        reaction = post.text, author, emoji
        if reaction not in self._open_reactions:
            on = random.random() < 0.7
            if not await program.react(room, post, author=author, emoji=emoji, on=on):
                self._open_reactions.add(reaction)  # a late attempt may undo a later one

    async def _say(
        self,
        program: Program,
        room: Place,
        authors: dict[Place, str],
        *,
        concurrency: int = 1,
        suffix: str = "",
    ) -> Post:
        number = next(self._numbers)
        return await program.say(
            room,
            f"{number} by {program.nickname}{suffix}",
            dedup_id=f"p{number}",
            author=authors[room],
            concurrency=concurrency,
        )

    async def _write(self, screen: Screen) -> None:
        random = self._random(screen.name)
        while not self._is_over.is_set():
            await asyncio.sleep(random.uniform(0.05, 0.4))
            number = next(self._numbers)
            await screen.say(f"{number} by {screen.name}", dedup_id=f"s{number}")

    async def _leave_and_rejoin(self, name: str, program: Program, screen: Screen) -> None:
        random = self._random(f"{name} wanders")
        while not self._is_over.is_set():
            await asyncio.sleep(random.uniform(0.5, 2))
            await program.leave(self.lasting)
            authors = {self.lasting: screen.author}
            await self._say(program, self.lasting, authors)  # not a member any more: refused
            # Another one if no message of the former is there.
            authors[self.lasting] = screen.author = await program.join(self.lasting)
            await self._say(program, self.lasting, authors)

    async def _sign_in_and_delete_visitors(self, name: str) -> None:
        random = self._random(name)
        for number in range(1_000):
            if self._is_over.is_set():
                return
            program = await self._program(f"{name} {number}")
            authors = {room: await program.join(room) for room in self._screens}
            for _ in range(random.randrange(1, 6)):
                await self._say(program, random.choice(list(authors)), authors)
            await program.delete_visitor(authors)
            await asyncio.sleep(random.uniform(0.1, 1))

    # Disruptions

    async def _disrupt_connection(self, proxy: TcpProxy) -> None:
        """Disrupt a connection repeatedly in random ways."""
        random = self._random(f"wire {self._proxies.index(proxy)}")
        while not self._is_over.is_set():
            await self._wait(random.uniform(0.5, 5))
            match random.choice(["cuts", "held lines", "lost answers"]):
                case "held lines" as kind:
                    proxy.hold()
                    await self._wait(random.uniform(0.1, 1.5))
                    proxy.release()
                case kind:
                    if kind == "lost answers":
                        proxy.drop_responses()
                        await self._wait(random.uniform(0.05, 0.5))
                    proxy.disconnect()
                    await self._wait(random.uniform(0, 0.8))
                    proxy.restore()
            self.report.counts[kind] += 1

    async def _disrupt(self, number: int, disruption: Disruption) -> None:
        random = self._random(f"blow {number}")
        await asyncio.sleep(random.uniform(0.3, 3))
        await disruption(random)
        self.report.counts[disruption.__name__.replace("_", " ")] += 1

    def _random(self, name: str) -> Random:
        return Random(f"{self.report.seed} {name}")

    async def _wait(self, seconds: float) -> None:
        """Wait, but not beyond the end of the run."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_over.wait(), seconds)

    # The end of a run

    async def _wait_for_stable_state(self) -> None:
        """Wait until all clients are in the same state, at most `DEADLINE`, and check it."""
        readers = [await self._add_reader(url) for url in self._urls]
        for room in (self.lasting, self.fleeting):
            await readers[0].join(room)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE):
                    while not await self._is_stable(room, readers):  # noqa: ASYNC110 - other tasks
                        await asyncio.sleep(0.2)
            if faults := self._find_faults(room):
                observers = [*self._screens[room], *self._streams[room]]
                self.report.faults += faults
                self.report.reader_states += [each.describe() for each in observers]

    async def _add_reader(self, url: str) -> Program:
        """Return a client of the host at a URL."""
        program = await self._program(f"Host at {url}", url=url, sign_in=False)
        program.token = self._programs[0].token
        return program

    async def _is_stable(self, room: Place, readers: Sequence[Program]) -> bool:
        api_lists = [Sight(each.nickname, now(), now(), await each.read(room)) for each in readers]
        sights = [*api_lists, *await self._read_lists(room)]
        room.record.ends = {sight.reader: sight for sight in sights if sight}
        last = api_lists[-1].lines[-1:]
        return all(
            sight and sight.lines[-1:] == last for sight in sights
        ) and not self._find_faults(room)

    def _find_faults(self, room: Place) -> list[str]:
        return find_faults(
            room.record,
            tolerance=_TOLERANCE,
            propagation_seconds=self._propagation_seconds,
            ttl=room.ttl,
        )

    async def _read_lists(self, room: Place) -> list[Sight | None]:
        summaries = [await window.summary() for window in self._windows[room]]
        return [
            *summaries,
            *(screen.look() for screen in self._screens[room]),
            *(stream.look() for stream in self._streams[room]),
        ]

    def _count(self) -> None:
        counts = self.report.counts
        for room in (self.lasting, self.fleeting):
            posts = room.record.posts.values()
            counts["posts"] += len(posts)
            counts["acknowledged"] += sum(bool(post.accepted) for post in posts)
            counts["refused"] += sum(post.is_refused for post in posts)
            self.report.refusals.update(post.refused[-1] for post in posts if post.is_refused)
            counts["tried again"] += sum(post.tries > 1 for post in posts)
            counts["removals"] += len(room.record.removals)
            counts["edits"] += sum(edit.done is not None for edit in room.record.edits)
            counts["reactions"] += sum(each.done is not None for each in room.record.reactings)
            self.report.lateness = max(self.report.lateness, find_lateness(room.record))
            delay = find_delay(room.record, since=self._repaired_at, absent=self._absent)
            self.report.delay = max(self.report.delay, delay)
            counts["observations"] += len(room.record.sights) + len(room.record.responses)
        counts["loaded pages"] = sum(screen.loaded for screen in self._all(self._screens))
        counts["resumed streams"] = sum(stream.resumed for stream in self._all(self._streams))

    @staticmethod
    def _all(by_room: dict[Place, list[Any]]) -> list[Any]:
        return [each for several in by_room.values() for each in several]
