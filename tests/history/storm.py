"""Many who talk at once while everything breaks. The same seed makes the same plans."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.browser.house import House, Site
from tests.browser.wire import Wire
from tests.browser.world import Wardrobe
from tests.history.checker import find_delay, find_faults, find_lateness
from tests.history.place import Place, now
from tests.history.programs import Ear, Program
from tests.history.record import Post, Sight
from tests.history.screen import Screen
from tests.history.window import Window, open_window

SETTINGS = {"message_ttl_min": "5s", "janitor_interval": "2s"}
PATIENCE = 60  # seconds until all must have come to rest
_FLEETING_SECONDS = 8
_TOLERANCE = 1.0  # a second is what is promised
_TOO_LONG = "x" * 4_001


Blow = Callable[[Random], Awaitable[None]]
"""Breaks something big and mends it again; its name says what is counted."""


@dataclass
class Report:
    """What a storm was made of, and what was wrong afterwards.

    `delay` is for how many seconds after the last mending somebody who was there lacked something
    that was acknowledged, `rest` how many it took until all was said, seen and the same.
    """

    seed: str
    counts: Counter[str] = field(default_factory=Counter)
    lateness: float = 0.0
    delay: float = 0.0
    rest: float = 0.0
    faults: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    """How many posts were refused in the end, by why."""
    lookers: list[str] = field(default_factory=list)
    """How those who looked on fared when something was wrong at the end."""

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        faults = "".join(f"\n  {each}" for each in [*self.faults[:20], *self.lookers])
        return (
            f"seed {self.seed}: {counted}, rows gone {self.lateness:.1f} s late at the most,"
            f" everywhere after {self.delay:.1f} s, at rest after {self.rest:.1f} s,"
            f" {len(self.faults)} faults{faults}"
        )

    def add(self, other: "Report") -> None:
        """Count another storm as well."""
        self.counts.update(other.counts)
        self.lateness = max(self.lateness, other.lateness)
        self.delay = max(self.delay, other.delay)
        self.rest = max(self.rest, other.rest)
        self.faults += other.faults
        self.refusals += other.refusals
        self.lookers += other.lookers


def kill_again_and_again(house: House, times: int) -> Sequence[Blow]:
    """Return blows of which each ends the house as a power cut does."""

    async def kills(chance: Random) -> None:
        await house.kill()
        await asyncio.sleep(chance.choice([0, 0, 0.3]))
        await house.start()

    return [kills] * times


class Storm:
    """One storm over one site: a room that lasts, and one whose messages are gone soon.

    Real browsers look on, if there is a wardrobe of them. `distance` is how many seconds word may
    take from one node to another while something is broken. At the end what can be read is the same
    at each of the `doors`.
    """

    def __init__(
        self,
        site: Site,
        wardrobe: Wardrobe | None,
        *,
        seed: str,
        blows: Sequence[Blow],
        distance: float = 0.0,
        doors: Sequence[str] = (),
    ) -> None:
        self.report = Report(seed)
        self.lasting = Place(f"harbour-{seed}", ttl=3_600)
        self.fleeting = Place(f"ferry-{seed}", ttl=_FLEETING_SECONDS)
        self._site = site
        self._wardrobe = wardrobe
        self.blows = blows
        self._distance = distance
        self._doors = doors or [site.url]
        self._mended = 0.0
        self._numbers = iter(range(1_000_000))
        self._over = asyncio.Event()
        self._away: list[str] = []  # who leaves and comes back
        self._wires: list[Wire] = []
        self._programs: list[Program] = []
        self._screens: dict[Place, list[Screen]] = {self.lasting: [], self.fleeting: []}
        self._ears: dict[Place, list[Ear]] = {self.lasting: [], self.fleeting: []}
        self._windows: dict[Place, list[Window]] = {self.lasting: [], self.fleeting: []}
        self._acts: list[Coroutine[Any, Any, None]] = []

    async def rage(self) -> Report:
        """Let it storm, wait until all have come to rest, and check what they have noted."""
        try:
            await self._open_rooms()
            async with self._living():
                breaking = [asyncio.create_task(self._shake(wire)) for wire in self._wires]
                talking = [asyncio.create_task(act) for act in self._acts]
                for number, blow in enumerate(self.blows):
                    await self._strike(number, blow)
                self._mended = now()
                self._over.set()
                async with asyncio.timeout(PATIENCE):
                    await asyncio.gather(*breaking, *talking)
                await self._rest()
                self.report.rest = now() - self._mended
        finally:
            for program in self._programs:
                await program.close()
            if self._wardrobe:
                for window in self._all(self._windows):
                    await self._wardrobe.give_back(window.context)
            for wire in self._wires:
                await wire.close()
        self._count()
        return self.report

    @contextlib.asynccontextmanager
    async def _living(self) -> AsyncIterator[None]:
        """Let everybody look on and talk."""
        for number, place in enumerate((self.lasting, self.fleeting, self.lasting)):
            await self._add_talker(f"Talker {number}")
            await self._add_screen(f"Screen {number}", place, talks=number < 2)
            await self._add_ear(f"Ear {number}", place)
            if number < 2 and self._wardrobe:
                await self._add_window(f"Window {number}", self._wardrobe, place)
        await self._add_wanderer("Wanderer")
        self._acts += [self._come_and_be_forgotten("Guest")]
        lookers = [*self._all(self._screens), *self._all(self._ears), *self._all(self._windows)]
        lives = [asyncio.create_task(looker.live()) for looker in lookers]
        try:
            yield
        finally:
            for life in lives:
                life.cancel()
            ends = await asyncio.gather(*lives, return_exceptions=True)
            broken = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
        assert not broken, broken

    # Who is there

    async def _open_rooms(self) -> None:
        host = await self._program("Host")
        for place in (self.lasting, self.fleeting):
            slug = await host.open(place.slug, message_ttl=f"{place.ttl}s")
            assert slug == place.slug

    async def _wire(self) -> Wire:
        wire = Wire(self._site.port)
        await wire.open()
        self._wires.append(wire)
        return wire

    async def _program(self, name: str, *, url: str = "", come_in: bool = True) -> Program:
        program = Program(url or self._site.url, f"{name} {self.report.seed}")
        self._programs.append(program)
        if come_in:
            await program.come_in()
        return program

    async def _add_talker(self, name: str) -> None:
        program = await self._program(name, url=(await self._wire()).url)
        authors = {place: await program.join(place) for place in self._screens}
        self._acts.append(self._talk(name, program, authors))

    async def _add_screen(self, name: str, place: Place, *, talks: bool) -> Screen:
        program = await self._program(name)
        author = await program.join(place)
        url = (await self._wire()).url
        screen = Screen(name, url=url, token=program.token, author=author, place=place)
        self._screens[place].append(screen)
        if talks:
            self._acts.append(self._write(screen))
        return screen

    async def _add_ear(self, name: str, place: Place) -> None:
        program = await self._program(name, url=(await self._wire()).url)
        await program.join(place)
        self._ears[place].append(Ear(name, program, place))

    async def _add_window(self, name: str, wardrobe: Wardrobe, place: Place) -> None:
        program = await self._program(name)
        await program.join(place)
        url = (await self._wire()).url
        window = await open_window(wardrobe, name, url=url, token=program.token, place=place)
        self._windows[place].append(window)

    async def _add_wanderer(self, name: str) -> None:
        """Let somebody leave and come again, who has the room open all the while."""
        self._away.append(name)
        screen = await self._add_screen(name, self.lasting, talks=False)
        program = await self._program(name, come_in=False)
        program.token = screen.token
        self._acts.append(self._wander(name, program, screen))

    # What they do

    async def _talk(self, name: str, program: Program, authors: dict[Place, str]) -> None:
        """Post, sometimes twice at once or again later; take back some; try what cannot be."""
        chance = self._chance(name)
        said: list[tuple[Place, Post]] = []
        while not self._over.is_set():
            await asyncio.sleep(chance.uniform(0.02, 0.2))
            place = chance.choice(list(authors))
            match chance.choices(["say", "twice", "again", "delete", "nonsense"], [8, 2, 1, 2, 1]):
                case ["say"] | ["twice"] as what:
                    at_once = 2 if what == ["twice"] else 1
                    said.append((place, await self._say(program, place, authors, at_once=at_once)))
                case ["again"] if said:
                    await program.say_again(*chance.choice(said))
                case ["delete"] if said:
                    where, post = said.pop(chance.randrange(len(said)))
                    if post.stored:
                        await program.delete(where, post)
                case ["nonsense"]:
                    await self._say(program, place, authors, more=_TOO_LONG)

    async def _say(
        self,
        program: Program,
        place: Place,
        authors: dict[Place, str],
        *,
        at_once: int = 1,
        more: str = "",
    ) -> Post:
        number = next(self._numbers)
        return await program.say(
            place,
            f"{number} by {program.nickname}{more}",
            dedup_id=f"p{number}",
            author=authors[place],
            at_once=at_once,
        )

    async def _write(self, screen: Screen) -> None:
        chance = self._chance(screen.name)
        while not self._over.is_set():
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            number = next(self._numbers)
            await screen.say(f"{number} by {screen.name}", dedup_id=f"s{number}")

    async def _wander(self, name: str, program: Program, screen: Screen) -> None:
        chance = self._chance(f"{name} wanders")
        while not self._over.is_set():
            await asyncio.sleep(chance.uniform(0.5, 2))
            await program.leave(self.lasting)
            authors = {self.lasting: screen.author}
            await self._say(program, self.lasting, authors)  # no member any more: refused
            await program.join(self.lasting)
            await self._say(program, self.lasting, authors)

    async def _come_and_be_forgotten(self, name: str) -> None:
        chance = self._chance(name)
        for number in range(1_000):
            if self._over.is_set():
                return
            program = await self._program(f"{name} {number}")
            authors = {place: await program.join(place) for place in self._screens}
            for _ in range(chance.randrange(1, 6)):
                await self._say(program, chance.choice(list(authors)), authors)
            await program.be_forgotten(authors)
            await asyncio.sleep(chance.uniform(0.1, 1))

    # What goes wrong

    async def _shake(self, wire: Wire) -> None:
        """Break a line in one way or another, again and again."""
        chance = self._chance(f"wire {self._wires.index(wire)}")
        while not self._over.is_set():
            await self._wait(chance.uniform(0.5, 5))
            match chance.choice(["cuts", "held lines", "lost answers"]):
                case "held lines" as what:
                    wire.hold()
                    await self._wait(chance.uniform(0.1, 1.5))
                    wire.release()
                case what:
                    if what == "lost answers":
                        wire.swallow_answers()
                        await self._wait(chance.uniform(0.05, 0.5))
                    wire.cut()
                    await self._wait(chance.uniform(0, 0.8))
                    wire.mend()
            self.report.counts[what] += 1

    async def _strike(self, number: int, blow: Blow) -> None:
        chance = self._chance(f"blow {number}")
        await asyncio.sleep(chance.uniform(0.3, 3))
        await blow(chance)
        self.report.counts[blow.__name__.replace("_", " ")] += 1

    def _chance(self, name: str) -> Random:
        return Random(f"{self.report.seed} {name}")

    async def _wait(self, seconds: float) -> None:
        """Wait, unless the storm is over before."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    # How it ends

    async def _rest(self) -> None:
        """Wait until all see the same; if they never do, what they see then is what is checked."""
        readers = [await self._reader(door) for door in self._doors]
        for place in (self.lasting, self.fleeting):
            await readers[0].join(place)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while not await self._is_at_rest(place, readers):  # noqa: ASYNC110 - others move
                        await asyncio.sleep(0.2)
            if faults := self._find_faults(place):
                lookers = [*self._screens[place], *self._ears[place]]
                self.report.faults += faults
                self.report.lookers += [each.describe() for each in lookers]

    async def _reader(self, door: str) -> Program:
        """Let the host come to a door."""
        program = await self._program(f"Host at {door}", url=door, come_in=False)
        program.token = self._programs[0].token
        return program

    async def _is_at_rest(self, place: Place, readers: Sequence[Program]) -> bool:
        truths = [Sight(each.nickname, now(), now(), await each.read(place)) for each in readers]
        sights = [*truths, *await self._look(place)]
        place.record.ends = {sight.reader: sight for sight in sights if sight}
        last = truths[-1].lines[-1:]
        return all(
            sight and sight.lines[-1:] == last for sight in sights
        ) and not self._find_faults(place)

    def _find_faults(self, place: Place) -> list[str]:
        return find_faults(
            place.record, tolerance=_TOLERANCE, distance=self._distance, life=place.ttl
        )

    async def _look(self, place: Place) -> list[Sight | None]:
        glances = [await window.glance() for window in self._windows[place]]
        return [
            *glances,
            *(screen.look() for screen in self._screens[place]),
            *(ear.look() for ear in self._ears[place]),
        ]

    def _count(self) -> None:
        counts = self.report.counts
        for place in (self.lasting, self.fleeting):
            posts = place.record.posts.values()
            counts["posts"] += len(posts)
            counts["acknowledged"] += sum(bool(post.accepted) for post in posts)
            counts["refused"] += sum(post.is_refused for post in posts)
            self.report.refusals.update(post.refused[-1] for post in posts if post.is_refused)
            counts["tried again"] += sum(post.tries > 1 for post in posts)
            counts["removals"] += len(place.record.removals)
            self.report.lateness = max(self.report.lateness, find_lateness(place.record))
            delay = find_delay(place.record, since=self._mended, away=self._away)
            self.report.delay = max(self.report.delay, delay)
            counts["observations"] += len(place.record.sights) + len(place.record.tellings)
        counts["loaded pages"] = sum(screen.loaded for screen in self._all(self._screens))
        counts["resumed streams"] = sum(ear.resumed for ear in self._all(self._ears))

    @staticmethod
    def _all(by_place: dict[Place, list[Any]]) -> list[Any]:
        return [each for several in by_place.values() for each in several]
