"""What is counted and timed while the chat runs, for Prometheus; never who, what or where.

Labels are words of the program alone: no name, id or address of anybody or anything is among them,
so there are never more of them than the program has.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .errors import ChatError
from .listening import bind, listen, write_url

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_BEAT_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
_HEAD_MOST = 8_192
_SETTING = "ANONCHAT_METRICS"
_log = logging.getLogger(__name__)


class Metrics:
    """All that is counted in this process.

    What happens is counted where it happens; what is, and what others count anyway, is watched:
    asked for when somebody wants to know.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when it began says nothing
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._posts = Counter(
            "anonchat_posts", "Posts, by what became of them.", ["outcome"], registry=registry
        )
        self._post_seconds = _time(
            "anonchat_post_seconds", "From a post to its acknowledgement.", registry
        )
        self._deliveries = Counter(
            "anonchat_deliveries",
            "Packets written to screens, and events written to streams.",
            ["over"],
            registry=registry,
        )
        self._to_screens = self._deliveries.labels("screen")
        self._to_streams = self._deliveries.labels("stream")
        self._delivery_seconds = _time(
            "anonchat_delivery_seconds",
            "From a change to its being written to the last screen.",
            registry,
        )
        self._purged = Counter(
            "anonchat_purged", "What the janitor has removed.", ["what"], registry=registry
        )
        self._purged_at = time.monotonic()
        self._lag = 0.0
        self.watch(
            "anonchat_purge_age_seconds",
            "How long ago the janitor has finished a round.",
            lambda: time.monotonic() - self._purged_at,
        )
        self.watch(
            "anonchat_purge_lag_seconds",
            "How long the oldest row that had expired was waiting for the last round.",
            lambda: self._lag,
        )
        self.loop_lag = _time(
            "anonchat_loop_lag_seconds", "How late the loop comes to what it has to do.", registry
        )

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Ask for a number whenever somebody wants to know it."""
        self._registry.register(_Watch(lambda: GaugeMetricFamily(name, meaning, value=read())))

    def watch_total(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Ask for a number that only grows."""
        self._registry.register(_Watch(lambda: CounterMetricFamily(name, meaning, value=read())))

    def watch_counts(
        self, name: str, meaning: str, label: str, read: Callable[[], Mapping[str, int]]
    ) -> None:
        """Ask for numbers that only grow, each with a word of the program that it is for."""

        def collect() -> Metric:
            family = CounterMetricFamily(name, meaning, labels=[label])
            for word, count in read().items():
                family.add_metric([word], count)
            return family

        self._registry.register(_Watch(collect))

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Count a post, and time it if it is stored."""
        begun = time.perf_counter()
        try:
            yield
        except ChatError as refusal:
            self._posts.labels(type(refusal).__name__).inc()
            raise
        except Exception:
            self._posts.labels("failed").inc()
            raise
        self._posts.labels("stored").inc()
        self._post_seconds.observe(time.perf_counter() - begun)

    def note_parcel(self, screens: int, *, begun: float) -> None:
        """Count a parcel that was written to so many screens; it began at that `perf_counter`."""
        if screens:
            self._to_screens.inc(screens)
            self._delivery_seconds.observe(time.perf_counter() - begun)

    def note_notice(self, streams: int) -> None:
        """Count an event that was written to so many streams."""
        self._to_streams.inc(streams)

    def note_purge(self, *, messages: int, rooms: int, visitors: int, lag: float) -> None:
        """Count what a finished round of the janitor has removed, and how late it was for it."""
        for what, count in (("messages", messages), ("rooms", rooms), ("visitors", visitors)):
            self._purged.labels(what).inc(count)
        self._purged_at, self._lag = time.monotonic(), lag

    def write(self) -> bytes:
        """Write everything down as Prometheus reads it."""
        return generate_latest(self._registry)


class MetricsDoor:
    """Answers Prometheus on a port of its own, and feels the pulse of the loop meanwhile."""

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        self._metrics = metrics
        self._host, self._port = host, port
        self._servers: list[asyncio.Server] = []
        self._pulse: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen, unless the port is 0; raise `StartError` if it cannot be had."""
        if not self._port:
            return
        sockets = bind(self._host, self._port, setting=_SETTING)
        listen(sockets, self._host, self._port, setting=_SETTING)
        for bound in sockets:
            server = await asyncio.start_server(self._answer, sock=bound, limit=_HEAD_MOST)
            self._servers.append(server)
        self._pulse = asyncio.create_task(self._feel_pulse(), name="pulse")
        _log.info("metrics are at %s/metrics", write_url(self._host, self._port))

    async def stop(self) -> None:
        """Listen no more."""
        if self._pulse:
            self._pulse.cancel()
        for server in self._servers:
            server.close()

    async def _feel_pulse(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            self._metrics.loop_lag.observe(max(0.0, loop.time() - due))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; whoever says anything else is told nothing."""
        wrong = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with suppress(*wrong):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /metrics "):
                    _write(writer, "200 OK", CONTENT_TYPE_LATEST, self._metrics.write())
                else:
                    _write(writer, "404 Not Found", "text/plain", b"there is only /metrics\n")
                await writer.drain()
        writer.close()


class _Watch:
    """Something that is asked when it is wanted."""

    def __init__(self, read: Callable[[], Metric]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Return what is the case now."""
        return [self._read()]


def _time(name: str, meaning: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, meaning, registry=registry, buckets=_SECONDS)


def _write(writer: asyncio.StreamWriter, status: str, kind: str, body: bytes) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
