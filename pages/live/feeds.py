"""Brings rows to screens: drawn once for each language in use, sent once for all who look on."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from anonchat import Clock, Metrics, WorkBudget, pausing

from ..language import Language
from ..rows.row import Row
from . import lines

_GATHER_SECONDS = 0.025  # at the most
_REST = 4  # so many times as long as sending took: the rest of the loop's time is for others
_NEWS_KEPT = 20_000
_FEEDS_AT_ONCE = 50

Item = TypeVar("Item")


Draw = Callable[[Language], Row]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a feed listens to: `channel` is the kind of feed, `name` what it is about."""

    channel: str
    name: str


class Listener(Protocol):
    """A feed on one screen, as far as the news goes."""

    language: Language
    viewer: str

    async def follow(self, key: str) -> None:
        """Listen to the topic of a row as well."""

    async def unfollow(self, key: str) -> None:
        """Hear no more of a row that went."""

    async def stop(self) -> None:
        """Hear of nothing any more."""

    async def look_again(self) -> None:
        """Let the screen ask for what it may have missed."""


class Feeds:
    """Knows which feeds are open on this node, and what they listen to.

    The first change goes out at once; what comes while that was sent, and some milliseconds after
    it, travels together: a busy room costs less for each message, not more.
    """

    def __init__(self, clock: Clock, metrics: Metrics, budget: WorkBudget) -> None:
        self.budget = budget
        self._clock = clock
        self._metrics = metrics
        self._begun = 0.0
        self._open: dict[Topic, dict[str, set[Listener]]] = {}
        self._parcels: dict[tuple[Topic, str], dict[str, Any]] = {}
        self._ended: set[Topic] = set()
        self._sender: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._must_ask = False
        self._news: dict[Topic, int] = {}  # the number of the last news of each, latest at the end
        self._forgotten = 0
        self.news_number = 0

    def has_news(self, topics: Iterable[Topic], *, since: int) -> bool:
        """Tell whether one of the topics may have changed since `news_number` was that."""
        return since < self._forgotten or any(self._news.get(topic, 0) > since for topic in topics)

    def now(self) -> float:
        """Return the time by which rows end, in the milliseconds that a browser counts."""
        return self._clock().timestamp() * 1000

    def listen(self, feed: Listener, topic: Topic) -> None:
        """Note that the feed shows the topic."""
        self._open.setdefault(topic, {}).setdefault(feed.language.code, set()).add(feed)

    def unlisten(self, feed: Listener, topic: Topic) -> None:
        """Note that the feed shows the topic no more."""
        by_language = self._open.get(topic, {})
        feeds = by_language.get(feed.language.code, set())
        feeds.discard(feed)
        if not feeds:
            by_language.pop(feed.language.code, None)
        if not by_language:
            self._open.pop(topic, None)

    def find(self, topic: Topic) -> list[Listener]:
        """Return the feeds that show a topic on this node."""
        return [feed for feeds in self._open.get(topic, {}).values() for feed in feeds]

    def count(self, topic: Topic) -> int:
        """Return how many feeds show a topic on this node."""
        return sum(map(len, self._open.get(topic, {}).values()))

    def put(self, topic: Topic, draw: Draw) -> None:
        """Draw a row and put it into every feed of the topic."""
        self._number(topic)
        for feeds in list(self._open.get(topic, {}).values()):
            language = next(iter(feeds)).language
            row, parcel = draw(language), self._parcel(topic, language.code)
            parcel.setdefault("put", []).append(row.pack())
            if row.key in parcel.get("drop", ()):  # it went, and came back before anybody was told
                parcel["drop"].remove(row.key)

    def drop(self, topic: Topic, *keys: str) -> None:
        """Take rows out of every feed of the topic."""
        self._number(topic)
        for code in self._open.get(topic, {}):
            self._parcel(topic, code).setdefault("drop", []).extend(keys)

    def end(self, topic: Topic) -> None:
        """Take the row that the topic is about off every screen, for good."""
        self.drop(topic, topic.name)
        if topic in self._open:
            self._ended.add(topic)

    def tell(self, topic: Topic, **news: object) -> None:
        """Tell every feed of the topic something else that it understands (see feed.js)."""
        self._number(topic)
        for code in self._open.get(topic, {}):
            self._parcel(topic, code).setdefault("news", []).append(news)

    def look_again(self) -> None:
        """Let every feed ask for what it may have missed."""
        self.news_number += 1
        self._forgotten = self.news_number  # for pages that are on their way to their browsers
        self._must_ask = True
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(), name="feeds look again")

    async def _ask_all(self) -> None:
        while self._must_ask:
            self._must_ask = False
            by_language = [feeds for each in self._open.values() for feeds in each.values()]
            for number, feed in enumerate({feed for feeds in by_language for feed in feeds}, 1):
                await feed.look_again()
                if number % _FEEDS_AT_ONCE == 0:
                    await asyncio.sleep(_GATHER_SECONDS)

    def _number(self, topic: Topic) -> None:
        """Give the news of a topic a number, whether or not anybody listens yet."""
        self.news_number += 1
        self._news.pop(topic, None)
        self._news[topic] = self.news_number
        if len(self._news) > _NEWS_KEPT:
            self._forgotten = self._news.pop(next(iter(self._news)))

    def _parcel(self, topic: Topic, code: str) -> dict[str, Any]:
        if not self._parcels:
            self._begun = time.perf_counter()
        parcel = self._parcels.setdefault((topic, code), {"channel": topic.channel})
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="feeds")
        return parcel

    async def _send(self) -> None:
        while self._parcels:
            begun = time.perf_counter()
            parcels, self._parcels = self._parcels, {}
            changed = self._begun
            ended, self._ended = self._ended, set()
            for (topic, code), parcel in parcels.items():
                screens = await lines.send("feed", parcel, room=socket_room(topic, code))
                self._metrics.note_parcel(screens, begun=changed)
            for topic in ended:
                for feed in self.find(topic):
                    await feed.unfollow(topic.name)
            spent = time.perf_counter() - begun
            await asyncio.sleep(min(_GATHER_SECONDS, _REST * spent))


def socket_room(topic: Topic, code: str) -> str:
    """Return the socket.io room of all screens that show the topic in this language."""
    return f"{topic.channel}:{topic.name}|{code}"


async def draw_each(items: Iterable[Item], draw: Callable[[Item], Row]) -> list[Row]:
    """Draw many rows, and let others have a turn in between."""
    return [draw(item) async for item in pausing(items)]
