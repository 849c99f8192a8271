"""Broadcasts rows to pages: each row is drawn and encoded once per language."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from anonchat import Clock, Language, Metrics, WorkBudget, iterate_cooperatively

from ..rows.row import Row
from ..transport import websocket
from .subscriptions import Subscriptions, socket_room
from .topics import Topic

_BATCH_SECONDS = 0.025  # longest pause between two batches
_PAUSE_FACTOR = 4  # pause after a batch: this many times its send time, for the loop's other tasks
_CHANGES_KEPT = 20_000
_SYNC_BATCH = 50

Item = TypeVar("Item")

Draw = Callable[[Language], Row]


class FeedBroadcaster:
    """Broadcasts changes to the lists that are subscribed to their topics, in batches.

    The first change is sent at once. Changes during that send and in the pause of up to 25 ms after
    it are batched, so that the cost of each message falls as a room gets busier.
    """

    def __init__(self, clock: Clock, metrics: Metrics, budget: WorkBudget) -> None:
        self.budget = budget
        self._clock = clock
        self._metrics = metrics
        self._batch_begun = 0.0
        self.subscriptions = Subscriptions()
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

    def put(self, topic: Topic, draw: Draw) -> None:
        """Draw a row; insert or replace it in every list of the topic."""
        self._record_change(topic)
        self._removed.discard(topic)
        for subscribed in list(self.subscriptions.by_language(topic).values()):
            language = next(iter(subscribed)).language
            row, packet = draw(language), self._packet(topic, language.code)
            packet.setdefault("put", []).append(row.pack())
            if row.key in packet.get("drop", ()):  # removed and added again within one batch
                packet["drop"].remove(row.key)

    def drop(self, topic: Topic, *keys: str) -> None:
        """Remove rows from every list of the topic."""
        self._record_change(topic)
        for code in self.subscriptions.by_language(topic):
            self._packet(topic, code).setdefault("drop", []).extend(keys)

    def remove_topic(self, topic: Topic) -> None:
        """Remove the row named after the topic from every list and unsubscribe the lists."""
        self.drop(topic, topic.name)
        if self.subscriptions.by_language(topic):
            self._removed.add(topic)

    def send_event(self, topic: Topic, **news: object) -> None:
        """Send another event to every list of the topic (see `receive` in live_list.js)."""
        self.send_translated(topic, lambda _: news)

    def send_translated(self, topic: Topic, describe: Callable[[Language], object]) -> None:
        """Send another event, in the language of each list."""
        self._record_change(topic)
        for code, subscribed in self.subscriptions.by_language(topic).items():
            news = describe(next(iter(subscribed)).language)
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
            for number, subscription in enumerate(self.subscriptions.all(), 1):
                await subscription.request_sync()
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
                for subscription in self.subscriptions.find(topic):
                    await subscription.remove(subscription.row_topics([topic.name]))
            elapsed = time.perf_counter() - started
            await asyncio.sleep(min(_BATCH_SECONDS, _PAUSE_FACTOR * elapsed))


async def draw_each(items: Iterable[Item], draw: Callable[[Item], Row]) -> list[Row]:
    """Draw many rows; yield to the event loop in between."""
    return [draw(item) async for item in iterate_cooperatively(items)]
