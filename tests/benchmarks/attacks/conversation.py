"""People who talk in some rooms, steadily, while somebody attacks: how late their words come."""

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from tests.benchmarks.attacks.client import Client, Refused
from tests.benchmarks.attacks.page import Page

_PATIENCE = 10.0  # what takes longer counts as so long
_RETRY_SECONDS = 0.2
_ACK_SECONDS = 3.0
_NUMBER = re.compile(r"\bno\. (\d+):")
_TEXT = "the quick brown fox jumps over the lazy dog"
_ERRORS = (Refused, TimeoutError, OSError)

Post = Callable[[str, str], Awaitable[None]]


@dataclass(slots=True)
class _Said:
    at: float
    waiting: set[str]
    latencies: list[float] = field(default_factory=list)
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was said in some seconds, and after how many milliseconds each screen showed it."""

    posted: int
    refused: int
    missing: int
    latencies: Sequence[float]

    @property
    def p50(self) -> float:
        """The median."""
        return self._quantile(0.5)

    @property
    def p99(self) -> float:
        """What one of a hundred takes longer than."""
        return self._quantile(0.99)

    def _quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a room; who has a screen hears, who has none posts through the API."""

    room: str
    token: str
    has_screen: bool


class Conversation:
    """Posts at a steady rate, in turn by each person, until the block is left."""

    def __init__(self, url: str, people: Sequence[Person], *, rate: float) -> None:
        self._client = Client(url)
        self._people = people
        self._rate = rate
        self._said: dict[int, _Said] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._screens = {
            person: _Screen(self._client, person, self._hear, self._refuse)
            for person in people
            if person.has_screen
        }

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        for screen in self._screens.values():
            await screen.page.open()
        self._tasks = [asyncio.create_task(screen.live()) for screen in self._screens.values()]
        self._tasks.append(asyncio.create_task(self._talk()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.__aexit__(None, None, None)

    async def listen(self, seconds: float) -> Callable[[], Awaitable[Stretch]]:
        """Let them talk for so long; what is returned waits until all of that has arrived."""
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        ended = time.perf_counter()
        said = [each for each in self._said.values() if began <= each.at < ended]
        return lambda: self._sum_up(said)

    async def settle(self, *, below: float, longest: float) -> float:
        """Wait until posts come within so many milliseconds again; return for how many seconds."""
        began = time.perf_counter()
        while (waited := time.perf_counter() - began) < longest:
            stretch = await (await self.listen(0.4))()
            if stretch.latencies and stretch.p50 <= below and not stretch.missing:
                break
        return waited

    async def _sum_up(self, said: Sequence[_Said]) -> Stretch:
        until = max((each.at for each in said), default=0.0) + _PATIENCE
        while any(each.waiting for each in said) and time.perf_counter() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        missing = sum(len(each.waiting) for each in said)
        times = [latency for each in said for latency in each.latencies]
        return Stretch(
            posted=len(said),
            refused=sum(each.is_refused for each in said),
            missing=missing,
            latencies=[1_000 * each for each in [*times, *[_PATIENCE] * missing]],
        )

    async def _talk(self) -> None:
        began = time.perf_counter()
        posting: set[asyncio.Task[None]] = set()
        number = 0
        while True:
            await asyncio.sleep(max(0.0, began + number / self._rate - time.perf_counter()))
            person = self._people[number % len(self._people)]
            number += 1
            waiting = {each.token for each in self._screens if each.room == person.room}
            self._said[number] = _Said(time.perf_counter(), waiting)
            self._said.pop(number - 5_000, None)
            task = asyncio.create_task(self._post(person, number))
            posting.add(task)
            task.add_done_callback(posting.discard)

    async def _post(self, person: Person, number: int) -> None:
        text = f"no. {number}: {_TEXT}"
        try:
            if screen := self._screens.get(person):
                message = {"text": text, "dedup": str(number)}
                await screen.page.emit("nicegui-composer", "post", message)
            else:
                path = f"/api/v1/rooms/{person.room}/messages"
                await self._client.ask("POST", path, token=person.token, json={"text": text})
        except _ERRORS:
            self._refuse(number)

    def _hear(self, person: Person, html: str) -> None:
        for number in _NUMBER.findall(html):
            said = self._said.get(int(number))
            if said and person.token in said.waiting:
                said.waiting.remove(person.token)
                said.latencies.append(time.perf_counter() - said.at)

    def _refuse(self, number: int) -> None:
        if said := self._said.get(number):
            said.is_refused = True


class _Screen:
    """The page of one person, which comes back whenever its socket is lost."""

    def __init__(
        self,
        client: Client,
        person: Person,
        hear: Callable[[Person, str], None],
        refuse: Callable[[int], None],
    ) -> None:
        self.page = Page(client, f"/r/{person.room}", person.token)
        self.page.on_feed = self._on_feed
        self.page.on_call = self._on_call
        self._person = person
        self._hear = hear
        self._refuse = refuse

    async def live(self) -> None:
        """Acknowledge what comes, as a browser does; connect again, or load the page again."""
        while True:
            await asyncio.sleep(_ACK_SECONDS if self.page.is_connected else _RETRY_SECONDS)
            with suppress(*_ERRORS):
                if self.page.is_connected:
                    await self.page.acknowledge()
                    continue
                try:
                    await self.page.connect()
                except Refused:
                    await self.page.open()

    def _on_feed(self, packet: dict[str, Any]) -> None:
        if packet["channel"] == "messages":
            for _, _, html in packet.get("put", []):
                self._hear(self._person, html)

    async def _on_call(self, part: str, method: str, arguments: list[Any]) -> None:
        if method == "sync" and part == "messages":
            question = {"question": 1, "keys": [], "older": True, "beyond": ""}
            with suppress(*_ERRORS):
                await self.page.emit(part, "sync", question, wait=False)
        elif method == "catchUp" and part == "messages":
            for _, _, html in arguments[0]["put"]:
                self._hear(self._person, html)
        elif method == "refuse" and part == "nicegui-composer":
            self._refuse(int(arguments[0]))


def median(numbers: Sequence[float]) -> float:
    """Return the median; 0 of none."""
    return statistics.median(numbers) if numbers else 0.0
