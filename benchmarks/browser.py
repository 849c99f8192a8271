"""Work of a browser: main thread per added row, and bytes of a first visit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import CDPSession, Page

from benchmarks.chromium import VIEWPORT, chromium, new_page
from benchmarks.database_seeder import Guest, seeding
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import anonchat
from benchmarks.trace import tracing
from tools.servers.process import ManagedProcess

_SHOWN = 300
_TRIMMED = 40  # a full page removes some rows at once
_PAGE = 200
_ROWS = 50
_RATE = 10
_TIMEOUT_MS = 60_000
_PARTS = {
    "TaskDuration": "all",
    "ScriptDuration": "scripts",
    "LayoutDuration": "layout",
    "RecalcStyleDuration": "styles",
}
_HEAVIEST = 8

# The baseline: a page with only a list that grows at one end and shrinks at the other.
_BARE_PAGE = """<!doctype html>
<style>
  body { margin: 0; height: 100vh; display: flex; flex-direction: column; font: 16px sans-serif }
  #log { flex: 1; overflow-y: auto }
  #log div { padding: 6px 12px }
</style>
<div id="log"></div>
<input>
<script>
  const log = document.querySelector("#log");
  function add(text) {
    const row = document.createElement("div");
    row.innerHTML = `<b>Ann</b> <small>12:00</small><p>${text}</p>`;
    log.append(row);
    log.scrollTop = log.scrollHeight;
  }
  function replace(times) {
    log.firstChild.remove();
    add("the quick brown fox jumps over the lazy dog");
    if (times > 1) setTimeout(replace, 100, times - 1);
  }
  for (let row = 0; row < 300; row++) add("the quick brown fox jumps over the lazy dog");
</script>"""


async def measure(lab: Lab) -> Outcome:
    """Add rows to a full room, then measure the weight of the page."""
    async with seeding(lab.folder / "data") as seeder:
        ann, kit = await seeder.add_visitors(2)
        (room,) = await seeder.add_rooms(1)
        await seeder.add_messages([room], [ann, kit], _PAGE)
        await seeder.add_members([(room, ann), (room, kit)])
    slug = seeder.room_name(room.id)
    outcome = Outcome()
    async with anonchat(lab.folder / "data", page_size=str(_PAGE)) as server:
        await _add_rows(outcome, server, slug, ann, kit)
    async with anonchat(lab.folder / "data") as server:
        await _measure_page_weight(outcome, server, slug, ann)
    return outcome


async def _add_rows(
    outcome: Outcome, server: ManagedProcess, slug: str, ann: Guest, kit: Guest
) -> None:
    async with chromium() as browser, Load() as load:
        page = await new_page(browser, server.url, ann.token)
        await page.goto(f"{server.url}/r/{slug}")
        await load.open("anonchat", server.url, [{"room": slug, "token": kit.token}])
        await load.talk(rate=20, seconds=(_SHOWN - _PAGE) / 20, speakers=1)
        await page.wait_for_function(
            f"document.querySelectorAll('[role=log] [data-key]').length >= {_SHOWN - _TRIMMED}",
            timeout=_TIMEOUT_MS,
        )

        async def talk() -> None:
            await load.talk(rate=_RATE, seconds=_ROWS / _RATE, speakers=1)

        each = await _measure_rows(page, talk)
        async with tracing(browser, "a row in Chromium", _ROWS) as traced:
            await talk()
    baseline = await _measure_bare_rows()
    outcome.goals.append(
        Goal(
            f"browser: main thread for a row added to {_SHOWN} that are shown",
            "≤ 4 ms",
            f"{each['TaskDuration']:.1f} ms, "
            f"{each['TaskDuration'] / baseline['TaskDuration']:.1f} × a bare page",
            each["TaskDuration"] <= 4,
            "A bare page needs more than that for a row on this machine: Chromium's layout, "
            "painting and compositing. The rest is our scripts and recalculating the rules of "
            "NiceGUI's style sheets (see the trace).",
        )
    )
    outcome.tables.append(
        Table(
            "A row in Chromium",
            ["page", *(f"ms: {name}" for name in _PARTS.values())],
            [
                ["a room", *(f"{each[part]:.2f}" for part in _PARTS)],
                ["a bare page", *(f"{baseline[part]:.2f}" for part in _PARTS)],
            ],
            f"Average of {_ROWS} rows at {_RATE} a second, minus what the page does anyway in the "
            "same time. The bare page is a list of paragraphs without style sheet and framework, "
            "in which each new one replaces an old one: the minimum that Chromium needs for a "
            "row here.",
        )
    )
    outcome.tables += traced


async def _measure_bare_rows() -> dict[str, float]:
    async with chromium() as browser:
        page = await (await browser.new_context(viewport=VIEWPORT)).new_page()
        await page.set_content(_BARE_PAGE)

        async def replace() -> None:
            await page.evaluate(f"replace({_ROWS})")
            await asyncio.sleep(_ROWS / _RATE)

        return await _measure_rows(page, replace)


async def _measure_rows(page: Page, add: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """Return the milliseconds per row, without what the page does anyway."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    await asyncio.sleep(2)
    before = await read_metrics(session)
    await asyncio.sleep(_ROWS / _RATE)
    idle = await read_metrics(session)
    await add()
    busy = await read_metrics(session)
    return {
        part: ((busy[part] - idle[part]) - (idle[part] - before[part])) / _ROWS * 1000
        for part in _PARTS
    }


async def _measure_page_weight(
    outcome: Outcome, server: ManagedProcess, slug: str, ann: Guest
) -> None:
    async with chromium() as browser:
        page = await new_page(browser, server.url, ann.token)
        session = await page.context.new_cdp_session(page)
        urls: dict[str, str] = {}
        sizes: dict[str, float] = {}

        def on_request(event: dict[str, Any]) -> None:
            urls[event["requestId"]] = event["request"]["url"]

        def on_finished(event: dict[str, Any]) -> None:
            sizes[event["requestId"]] = event["encodedDataLength"]

        session.on("Network.requestWillBeSent", on_request)
        session.on("Network.loadingFinished", on_finished)
        await session.send("Network.enable")
        await page.goto(f"{server.url}/r/{slug}", wait_until="networkidle")
        await asyncio.sleep(1)
    third_party = [
        url for url in urls.values() if not url.startswith((server.url, "data:", "blob:"))
    ]
    weight = sum(sizes.values())
    outcome.goals.append(
        Goal(
            "page weight, first visit, compressed",
            "≤ 400 kB, no third-party request",
            f"{weight / 1000:.0f} kB, {len(third_party)} third-party requests",
            weight <= 400_000 and not third_party,
        )
    )
    heaviest = sorted(sizes, key=lambda id: sizes[id], reverse=True)[:_HEAVIEST]
    outcome.tables.append(
        Table(
            "What a first visit loads",
            ["file", "kB"],
            [
                [_shorten(urls[id], server.url), f"{sizes[id] / 1000:.1f}"]
                for id in heaviest
                if id in urls
            ],
            f"The heaviest of {len(sizes)} responses of a room with a full page, cache empty.",
        )
    )


async def read_metrics(session: CDPSession) -> dict[str, float]:
    """Return the figures that Chromium keeps for the page of the session."""
    response = await session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in response["metrics"]}


def _shorten(url: str, origin: str) -> str:
    path = url.removeprefix(origin).partition("?")[0]
    return "the page" if path.startswith("/r/") else path.rpartition("/")[2]
