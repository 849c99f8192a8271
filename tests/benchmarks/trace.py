"""What a page's main thread does, as Chromium traces it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser

from tests.benchmarks.outcome import Table

_CATEGORIES = ["devtools.timeline", "toplevel", "blink", "cc", "v8"]
_MAIN_THREAD = "CrRendererMain"
_MOST = 12
_PATIENCE = 60

Spans = list[dict[str, Any]]


@asynccontextmanager
async def tracing(browser: Browser, title: str, times: int) -> AsyncIterator[list[Table]]:
    """Trace during the block; afterwards the list holds what one of so many times took."""
    tables: list[Table] = []
    events: Spans = []
    complete = asyncio.Event()
    session = await browser.new_browser_cdp_session()
    session.on("Tracing.dataCollected", lambda event: events.extend(event["value"]))
    session.on("Tracing.tracingComplete", lambda _: complete.set())
    await session.send(
        "Tracing.start",
        {"transferMode": "ReportEvents", "traceConfig": {"includedCategories": _CATEGORIES}},
    )
    yield tables
    await session.send("Tracing.end")
    await asyncio.wait_for(complete.wait(), _PATIENCE)
    tables.append(_draw(title, _take_apart(events), times))


def _take_apart(events: Spans) -> dict[str, float]:
    """Return the microseconds that each kind of work took by itself, in the busiest page."""
    threads: dict[tuple[int, int], Spans] = defaultdict(list)
    mains = set()
    for event in events:
        thread = event["pid"], event["tid"]
        if event["name"] == "thread_name" and event["args"]["name"] == _MAIN_THREAD:
            mains.add(thread)
        if event["ph"] == "X" and "tdur" in event:
            threads[thread].append(event)
    pages = [_take_own(threads[thread]) for thread in mains]
    return max(pages, key=lambda own: sum(own.values()), default={})


def _take_own(spans: Spans) -> dict[str, float]:
    """Take from each span what the spans within it took."""
    own: dict[str, float] = defaultdict(float)
    around: Spans = []
    for span in sorted(spans, key=lambda span: (span["ts"], -span["dur"])):
        while around and around[-1]["ts"] + around[-1]["dur"] <= span["ts"]:
            around.pop()
        own[span["name"]] += span["tdur"]
        if around:
            own[around[-1]["name"]] -= span["tdur"]
        around.append(span)
    return own


def _draw(title: str, own: dict[str, float], times: int) -> Table:
    busiest = sorted(own, key=lambda name: own[name], reverse=True)[:_MOST]
    everything = sum(own.values())
    return Table(
        f"Where the time goes: {title}",
        ["work of the main thread", "ms each", "of the time"],
        [
            [name, f"{own[name] / times / 1000:.2f}", f"{own[name] / everything:.0%}"]
            for name in busiest
        ],
    )
