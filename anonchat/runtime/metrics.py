"""Prometheus metrics, without any visitor data.

Label values are constants of the program, never names, ids or addresses: their number is bounded.
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
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric

from ..errors import ChatError
from .listening import bind, format_url, listen

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LAG_INTERVAL_SECONDS = 1.0
_REQUEST_TIMEOUT_SECONDS = 5.0
_HEADER_BYTES_MAX = 8_192
_SETTING = "ANONCHAT_METRICS"
_log = logging.getLogger(__name__)


class Metrics:
    """All metrics of this process.

    Events are counted where they happen. Current values, and counters kept elsewhere, are read at
    each scrape (`add_gauge`, `add_counter`, `add_labelled_counter`).
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # creation times are of no use
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._posts = Counter("anonchat_posts", "Posts by outcome.", ["outcome"], registry=registry)
        self._post_seconds = _histogram(
            "anonchat_post_seconds", "Time from a post to its acknowledgement.", registry
        )
        self._deliveries = Counter(
            "anonchat_deliveries",
            "Packets written to pages, and events written to streams.",
            ["over"],
            registry=registry,
        )
        self._page_deliveries = self._deliveries.labels("screen")
        self._stream_deliveries = self._deliveries.labels("stream")
        self._delivery_seconds = _histogram(
            "anonchat_delivery_seconds",
            "Time from a change to its write to the last page.",
            registry,
        )
        self._purged = Counter(
            "anonchat_purged", "Rows removed by the janitor.", ["what"], registry=registry
        )
        self._purged_at = time.monotonic()
        self._lag = 0.0
        self.add_gauge(
            "anonchat_purge_age_seconds",
            "Time since the last completed purge.",
            lambda: time.monotonic() - self._purged_at,
        )
        self.add_gauge(
            "anonchat_purge_lag_seconds",
            "How long the oldest expired row waited for the last purge.",
            lambda: self._lag,
        )
        self.loop_lag = _histogram(
            "anonchat_loop_lag_seconds", "Scheduling delay of the event loop.", registry
        )

    def add_gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Register a gauge whose value is read at each scrape."""
        Gauge(name, documentation, registry=self._registry).set_function(read)

    def add_counter(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Register a counter whose value is read at each scrape."""
        self._registry.register(
            _CallbackCollector(lambda: CounterMetricFamily(name, documentation, value=read()))
        )

    def add_labelled_counter(
        self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, int]]
    ) -> None:
        """Register a counter whose values per label value are read at each scrape."""

        def collect() -> Metric:
            metric = CounterMetricFamily(name, documentation, labels=[label])
            for label_value, count in read().items():
                metric.add_metric([label_value], count)
            return metric

        self._registry.register(_CallbackCollector(collect))

    @contextmanager
    def track_post(self) -> Iterator[None]:
        """Count the post made inside the block by outcome; time it if it is stored."""
        begun = time.perf_counter()
        try:
            yield
        except ChatError as error:
            self._posts.labels(type(error).__name__).inc()
            raise
        except Exception:
            self._posts.labels("failed").inc()
            raise
        self._posts.labels("stored").inc()
        self._post_seconds.observe(time.perf_counter() - begun)

    def note_broadcast(self, screens: int, *, begun: float) -> None:
        """Count a packet written to `screens` pages; `begun` is its start by `perf_counter`."""
        if screens:
            self._page_deliveries.inc(screens)
            self._delivery_seconds.observe(time.perf_counter() - begun)

    def record_stream_event(self, streams: int) -> None:
        """Count an event written to `streams` event streams."""
        self._stream_deliveries.inc(streams)

    def record_purge(self, *, messages: int, rooms: int, visitors: int, lag: float) -> None:
        """Count the rows removed by a completed purge; `lag` is in seconds."""
        for what, count in (("messages", messages), ("rooms", rooms), ("visitors", visitors)):
            self._purged.labels(what).inc(count)
        self._purged_at, self._lag = time.monotonic(), lag

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)


class MetricsServer:
    """Serves `/metrics` on its own port, and measures the event loop lag meanwhile.

    The server of prometheus-client is not used: it reads the metrics in threads, while their
    sources change in the event loop; its threads are unbounded and wait for slow clients without a
    time limit; it binds one address of a host only, and answers at every path.
    """

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        self._metrics = metrics
        self._host, self._port = host, port
        self._servers: list[asyncio.Server] = []
        self._lag_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, unless the port is 0. Raises `StartupError` if it cannot be bound."""
        if not self._port:
            return
        sockets = bind(self._host, self._port, setting=_SETTING)
        listen(sockets, self._host, self._port, setting=_SETTING)
        for bound in sockets:
            server = await asyncio.start_server(self._respond, sock=bound, limit=_HEADER_BYTES_MAX)
            self._servers.append(server)
        self._lag_task = asyncio.create_task(self._measure_lag(), name="event loop lag")
        _log.info("metrics server listening on %s/metrics", format_url(self._host, self._port))

    async def stop(self) -> None:
        """Stop listening."""
        if self._lag_task:
            self._lag_task.cancel()
        for server in self._servers:
            server.close()

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_INTERVAL_SECONDS
            await asyncio.sleep(_LAG_INTERVAL_SECONDS)
            self._metrics.loop_lag.observe(max(0.0, loop.time() - due))

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; malformed and slow requests are closed without a response."""
        with suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_REQUEST_TIMEOUT_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /metrics "):
                    _write_response(writer, "200 OK", CONTENT_TYPE_LATEST, self._metrics.render())
                else:
                    _write_response(
                        writer, "404 Not Found", "text/plain", b"there is only /metrics\n"
                    )
                await writer.drain()
        writer.close()


class _CallbackCollector:
    """A collector that reads its metric from a callback."""

    def __init__(self, read: Callable[[], Metric]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Return the current metric."""
        return [self._read()]


def _histogram(name: str, documentation: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, documentation, registry=registry, buckets=_BUCKETS)


def _write_response(
    writer: asyncio.StreamWriter, status: str, content_type: str, body: bytes
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
