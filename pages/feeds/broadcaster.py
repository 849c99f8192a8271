"""Broadcasts rows to pages: each row is drawn and encoded once per language."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from anonchat import Clock, Metrics, WorkBudget, iterate_cooperatively

from ..i18n.language import Language
from ..rows.row import Row
from ..transport import websocket
from .topics import Topic

_BATCH_SECONDS = 0.025  # longest pause between two batches
_PAUSE_FACTOR = 4  # pause after a batch: this many times its send time, for the loop's other tasks
_CHANGES_KEPT = 20_000
_SYNC_BATCH = 50

Item = TypeVar("Item")

Draw = Callable[[Language], Row]


class Subscriber(Protocol):
    """A subscriber: a list on one page (`LiveList`)."""

    language: Language
    viewer: str

    async def subscribe_row(self, key: str) -> None:
        """Subscribe to the topic of a row as well."""

    async def unsubscribe_row(self, key: str) -> None:
        """Unsubscribe from the topic of a removed row."""

    async def stop(self) -> None:
        """Unsubscribe from all topics."""

    async def request_sync(self) -> None:
        """Make the page request a sync."""


class FeedBroadcaster:
    """The lists open on this node, by topic and language; broadcasts changes to them in batches.

    The first change is sent at once. Changes during that send and in the pause of up to 25 ms after
    it are batched, so that the cost of each message falls as a room gets busier.
    """

    def __init__(self, clock: Clock, metrics: Metrics, budget: WorkBudget) -> None:
        self.budget = budget
        self._clock = clock
        self._metrics = metrics
        self._batch_begun = 0.0
        self._lists: dict[Topic, dict[str, set[Subscriber]]] = {}
        self._packets: dict[tuple[Topic, str], dict[str, Any]] = {}
        self._removed: set[Topic] = set()
        self._send_task: asyncio.Task[None] | None = None
        self._sync_task: asyncio.Task[None] | None = None
        self._must_sync = False
        self._changes: dict[
            Topic, int
        ] = {}  # version of the last change of each topic, newest last
        self._discarded_version = 0
        self.version = 0

    def has_changed(self, topics: Iterable[Topic], *, since: int) -> bool:
        """Return whether one of the topics may have changed since `version` was `since`."""
        return since < self._discarded_version or any(
            self._changes.get(topic, 0) > since for topic in topics
        )

    def now(self) -> float:
        """Return the server time, which decides when rows expire, in milliseconds since 1970."""
        return self._clock().timestamp() * 1000

    def subscribe(self, feed: Subscriber, topic: Topic) -> None:
        """Subscribe a list to the topic."""
        self._lists.setdefault(topic, {}).setdefault(feed.language.code, set()).add(feed)

    def unsubscribe(self, feed: Subscriber, topic: Topic) -> None:
        """Unsubscribe a list from the topic."""
        by_language = self._lists.get(topic, {})
        feeds = by_language.get(feed.language.code, set())
        feeds.discard(feed)
        if not feeds:
            by_language.pop(feed.language.code, None)
        if not by_language:
            self._lists.pop(topic, None)

    def subscribers(self, topic: Topic) -> list[Subscriber]:
        """Return the lists on this node that are subscribed to the topic."""
        return [feed for feeds in self._lists.get(topic, {}).values() for feed in feeds]

    def count(self, topic: Topic) -> int:
        """Return how many lists on this node are subscribed to the topic."""
        return sum(map(len, self._lists.get(topic, {}).values()))

    def put(self, topic: Topic, draw: Draw) -> None:
        """Draw a row; insert or replace it in every list of the topic."""
        self._record_change(topic)
        for feeds in list(self._lists.get(topic, {}).values()):
            language = next(iter(feeds)).language
            row, packet = draw(language), self._packet(topic, language.code)
            packet.setdefault("put", []).append(row.pack())
            if row.key in packet.get("drop", ()):  # removed and added again within one batch
                packet["drop"].remove(row.key)

    def drop(self, topic: Topic, *keys: str) -> None:
        """Remove rows from every list of the topic."""
        self._record_change(topic)
        for code in self._lists.get(topic, {}):
            self._packet(topic, code).setdefault("drop", []).extend(keys)

    def remove_topic(self, topic: Topic) -> None:
        """Remove the row named after the topic from every list and unsubscribe the lists."""
        self.drop(topic, topic.name)
        if topic in self._lists:
            self._removed.add(topic)

    def send_event(self, topic: Topic, **news: object) -> None:
        """Send another event to every list of the topic (see `receive` in live_list.js)."""
        self.send_translated(topic, lambda _: news)

    def send_translated(self, topic: Topic, describe: Callable[[Language], object]) -> None:
        """Send another event, in the language of each list."""
        self._record_change(topic)
        for code, feeds in self._lists.get(topic, {}).items():
            news = describe(next(iter(feeds)).language)
            self._packet(topic, code).setdefault("news", []).append(news)

    def request_sync(self) -> None:
        """Make the pages of all lists request a sync."""
        self.version += 1
        self._discarded_version = self.version  # pages that are not connected yet sync, too
        self._must_sync = True
        if self._sync_task is None or self._sync_task.done():
            self._sync_task = asyncio.create_task(self._sync_all(), name="feeds sync")

    async def _sync_all(self) -> None:
        while self._must_sync:
            self._must_sync = False
            groups = [feeds for by_code in self._lists.values() for feeds in by_code.values()]
            for number, feed in enumerate({feed for feeds in groups for feed in feeds}, 1):
                await feed.request_sync()
                if number % _SYNC_BATCH == 0:
                    await asyncio.sleep(_BATCH_SECONDS)

    def _record_change(self, topic: Topic) -> None:
        """Record a change of the topic, whether or not a list is subscribed yet."""
        self.version += 1
        self._changes.pop(topic, None)
        self._changes[topic] = self.version
        if len(self._changes) > _CHANGES_KEPT:
            self._discarded_version = self._changes.pop(next(iter(self._changes)))

    def _packet(self, topic: Topic, code: str) -> dict[str, Any]:
        if not self._packets:
            self._batch_begun = time.perf_counter()
        packet = self._packets.setdefault((topic, code), {"channel": topic.channel})
        if self._send_task is None or self._send_task.done():
            self._send_task = asyncio.create_task(self._send(), name="feeds")
        return packet

    async def _send(self) -> None:
        while self._packets:
            started = time.perf_counter()
            packets, self._packets = self._packets, {}
            batch_begun = self._batch_begun
            removed, self._removed = self._removed, set()
            for (topic, code), packet in packets.items():
                receivers = await websocket.broadcast("feed", packet, room=socket_room(topic, code))
                self._metrics.note_broadcast(receivers, begun=batch_begun)
            for topic in removed:
                for feed in self.subscribers(topic):
                    await feed.unsubscribe_row(topic.name)
            elapsed = time.perf_counter() - started
            await asyncio.sleep(min(_BATCH_SECONDS, _PAUSE_FACTOR * elapsed))


def socket_room(topic: Topic, code: str) -> str:
    """Return the socket.io room of all pages that show the topic in this language."""
    return f"{topic.channel}:{topic.name}|{code}"


async def draw_each(items: Iterable[Item], draw: Callable[[Item], Row]) -> list[Row]:
    """Draw many rows; yield to the event loop in between."""
    return [draw(item) async for item in iterate_cooperatively(items)]
