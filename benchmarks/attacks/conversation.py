"""A steady conversation in some rooms during an attack, and the latency of its messages."""

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from benchmarks.attacks.client import Client, Refused
from benchmarks.attacks.page import Page

_TIMEOUT_SECONDS = 10.0  # the latency of a missing delivery
_RETRY_SECONDS = 0.2
_ACK_SECONDS = 3.0
_NUMBER = re.compile(r"\bno\. (\d+):")
_TEXT = "the quick brown fox jumps over the lazy dog"
_ERRORS = (Refused, TimeoutError, OSError)

Post = Callable[[str, str], Awaitable[None]]


@dataclass(slots=True)
class _SentMessage:
    sent_at: float
    waiting: set[str]
    latencies: list[float] = field(default_factory=list)
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class IntervalResult:
    """The messages of an interval, and their latency on each screen in milliseconds."""

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
        """The 99th percentile."""
        return self._quantile(0.99)

    def _quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Person:
    """A member of a room, with a page if `has_screen`; without one they post through the API."""

    room: str
    token: str
    has_screen: bool


class BackgroundConversation:
    """Posts at a steady rate, by each person in turn, during the block."""

    def __init__(self, url: str, people: Sequence[Person], *, rate: float) -> None:
        self._client = Client(url)
        self._people = people
        self._rate = rate
        self._sent: dict[int, _SentMessage] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._screens = {
            person: _Screen(self._client, person, self._receive, self._refuse)
            for person in people
            if person.has_screen
        }

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        for screen in self._screens.values():
            await screen.page.open()
        self._tasks = [asyncio.create_task(screen.run()) for screen in self._screens.values()]
        self._tasks.append(asyncio.create_task(self._talk()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.__aexit__(None, None, None)

    async def measure(self, seconds: float) -> Callable[[], Awaitable[IntervalResult]]:
        """Record an interval; the returned function waits for its deliveries and sums it up."""
        started = time.perf_counter()
        await asyncio.sleep(seconds)
        ended = time.perf_counter()
        messages = [each for each in self._sent.values() if started <= each.sent_at < ended]
        return lambda: self._sum_up(messages)

    async def settle(self, *, below: float, longest: float) -> float:
        """Wait until the median latency is at most `below` ms; return the seconds waited."""
        started = time.perf_counter()
        while (waited := time.perf_counter() - started) < longest:
            result = await (await self.measure(0.4))()
            if result.latencies and result.p50 <= below and not result.missing:
                break
        return waited

    async def _sum_up(self, messages: Sequence[_SentMessage]) -> IntervalResult:
        deadline = max((each.sent_at for each in messages), default=0.0) + _TIMEOUT_SECONDS
        while any(each.waiting for each in messages) and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        missing = sum(len(each.waiting) for each in messages)
        times = [latency for each in messages for latency in each.latencies]
        return IntervalResult(
            posted=len(messages),
            refused=sum(each.is_refused for each in messages),
            missing=missing,
            latencies=[1_000 * each for each in [*times, *[_TIMEOUT_SECONDS] * missing]],
        )

    async def _talk(self) -> None:
        started = time.perf_counter()
        posting: set[asyncio.Task[None]] = set()
        number = 0
        while True:
            await asyncio.sleep(max(0.0, started + number / self._rate - time.perf_counter()))
            person = self._people[number % len(self._people)]
            number += 1
            waiting = {each.token for each in self._screens if each.room == person.room}
            self._sent[number] = _SentMessage(time.perf_counter(), waiting)
            self._sent.pop(number - 5_000, None)
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

    def _receive(self, person: Person, html: str) -> None:
        for number in _NUMBER.findall(html):
            message = self._sent.get(int(number))
            if message and person.token in message.waiting:
                message.waiting.remove(person.token)
                message.latencies.append(time.perf_counter() - message.sent_at)

    def _refuse(self, number: int) -> None:
        if message := self._sent.get(number):
            message.is_refused = True


class _Screen:
    """The page of a person; reconnects when its socket is closed."""

    def __init__(
        self,
        client: Client,
        person: Person,
        receive: Callable[[Person, str], None],
        refuse: Callable[[int], None],
    ) -> None:
        self.page = Page(client, f"/r/{person.room}", person.token)
        self.page.on_feed = self._on_feed
        self.page.on_call = self._on_call
        self._person = person
        self._receive = receive
        self._refuse = refuse

    async def run(self) -> None:
        """Acknowledge packets, as a browser does; reconnect, or load the page again."""
        while True:
            await asyncio.sleep(_ACK_SECONDS if self.page.expect_connected else _RETRY_SECONDS)
            with suppress(*_ERRORS):
                if self.page.expect_connected:
                    await self.page.acknowledge()
                    continue
                try:
                    await self.page.connect()
                except Refused:
                    await self.page.open()

    def _on_feed(self, packet: dict[str, Any]) -> None:
        if packet["channel"] == "messages":
            for _, _, html in packet.get("put", []):
                self._receive(self._person, html)

    async def _on_call(self, part: str, method: str, arguments: list[Any]) -> None:
        if method == "sync" and part == "messages":
            question = {"question": 1, "keys": [], "older": True, "beyond": ""}
            with suppress(*_ERRORS):
                await self.page.emit(part, "sync", question, wait=False)
        elif method == "catchUp" and part == "messages":
            for _, _, html in arguments[0]["put"]:
                self._receive(self._person, html)
        elif method == "reject" and part == "nicegui-composer":
            self._refuse(int(arguments[0]))


def median(numbers: Sequence[float]) -> float:
    """Return the median; 0 of none."""
    return statistics.median(numbers) if numbers else 0.0
