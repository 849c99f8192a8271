"""Profiles the main thread of a page with Chromium's tracing."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser

from benchmarks.outcome import Table

_CATEGORIES = ["devtools.timeline", "toplevel", "blink", "cc", "v8"]
_MAIN_THREAD = "CrRendererMain"
_MAX_ROWS = 12
_TIMEOUT_SECONDS = 60

Spans = list[dict[str, Any]]


@asynccontextmanager
async def tracing(browser: Browser, title: str, times: int) -> AsyncIterator[list[Table]]:
    """Trace during the block, in which the work is repeated `times`; then fill the list."""
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
    await asyncio.wait_for(complete.wait(), _TIMEOUT_SECONDS)
    tables.append(_make_table(title, _sum_own_time(events), times))


def _sum_own_time(events: Spans) -> dict[str, float]:
    """Return the own microseconds of each kind of work, in the busiest page."""
    threads: dict[tuple[int, int], Spans] = defaultdict(list)
    mains = set()
    for event in events:
        thread = event["pid"], event["tid"]
        if event["name"] == "thread_name" and event["args"]["name"] == _MAIN_THREAD:
            mains.add(thread)
        if event["ph"] == "X" and "tdur" in event:
            threads[thread].append(event)
    pages = [_own_time(threads[thread]) for thread in mains]
    return max(pages, key=lambda own: sum(own.values()), default={})


def _own_time(spans: Spans) -> dict[str, float]:
    """Return the time of each kind of span without that of its nested spans."""
    own: dict[str, float] = defaultdict(float)
    enclosing: Spans = []
    for span in sorted(spans, key=lambda span: (span["ts"], -span["dur"])):
        while enclosing and enclosing[-1]["ts"] + enclosing[-1]["dur"] <= span["ts"]:
            enclosing.pop()
        own[span["name"]] += span["tdur"]
        if enclosing:
            own[enclosing[-1]["name"]] -= span["tdur"]
        enclosing.append(span)
    return own


def _make_table(title: str, own: dict[str, float], times: int) -> Table:
    busiest = sorted(own, key=lambda name: own[name], reverse=True)[:_MAX_ROWS]
    everything = sum(own.values())
    return Table(
        f"Where the time goes: {title}",
        ["work of the main thread", "ms each", "of the time"],
        [
            [name, f"{own[name] / times / 1000:.2f}", f"{own[name] / everything:.0%}"]
            for name in busiest
        ],
    )
