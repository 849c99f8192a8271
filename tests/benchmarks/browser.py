"""What a browser has to do: for one more row, and for the first visit."""

import asyncio
from typing import Any

from playwright.async_api import CDPSession

from tests.benchmarks.chromium import chromium, new_page
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.server import Server, anonchat
from tests.benchmarks.town import Guest, founding

_SHOWN = 300
_FEWER = 40  # a full page lets go of some at once
_PAGE = 200
_ROWS = 50
_RATE = 10
_PATIENCE_MS = 60_000
_PARTS = {
    "TaskDuration": "all",
    "ScriptDuration": "scripts",
    "LayoutDuration": "layout",
    "RecalcStyleDuration": "styles",
}
_HEAVIEST = 8


async def measure(lab: Lab) -> Outcome:
    """Weigh the page, then let rows come into a full room."""
    async with founding(lab.folder / "data") as town:
        ann, kit = await town.come_in(2)
        (room,) = await town.open_rooms(1)
        await town.say([room], [ann, kit], _PAGE)
        await town.join([(room, ann), (room, kit)])
    slug = town.name(room.id)
    outcome = Outcome()
    async with anonchat(lab.folder / "data", page_size=str(_PAGE)) as server:
        await _add_rows(outcome, server, slug, ann, kit)
    async with anonchat(lab.folder / "data") as server:
        await _weigh(outcome, server, slug, ann)
    return outcome


async def _add_rows(outcome: Outcome, server: Server, slug: str, ann: Guest, kit: Guest) -> None:
    async with chromium() as browser, Load() as load:
        page = await new_page(browser, server.url, ann.token)
        await page.goto(f"{server.url}/r/{slug}")
        await load.open("anonchat", server.url, [{"room": slug, "token": kit.token}])
        await load.talk(rate=20, seconds=(_SHOWN - _PAGE) / 20, by=1)
        await page.wait_for_function(
            f"document.querySelectorAll('[role=log] [data-key]').length >= {_SHOWN - _FEWER}",
            timeout=_PATIENCE_MS,
        )
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        await asyncio.sleep(2)
        before = await _read_metrics(session)
        await asyncio.sleep(_ROWS / _RATE)
        idle = await _read_metrics(session)
        await load.talk(rate=_RATE, seconds=_ROWS / _RATE, by=1)
        busy = await _read_metrics(session)
    each = {
        part: ((busy[part] - idle[part]) - (idle[part] - before[part])) / _ROWS * 1000
        for part in _PARTS
    }
    outcome.goals.append(
        Goal(
            f"browser: main thread for a row added to {_SHOWN} that are shown",
            "≤ 4 ms",
            f"{each['TaskDuration']:.1f} ms",
            each["TaskDuration"] <= 4,
        )
    )
    outcome.tables.append(
        Table(
            "A row in Chromium",
            [f"ms: {name}" for name in _PARTS.values()],
            [[f"{each[part]:.2f}" for part in _PARTS]],
            f"Of {_ROWS} rows, {_RATE} a second; what the page does anyway in the same time is "
            "taken off.",
        )
    )


async def _weigh(outcome: Outcome, server: Server, slug: str, ann: Guest) -> None:
    async with chromium() as browser:
        page = await new_page(browser, server.url, ann.token)
        session = await page.context.new_cdp_session(page)
        addresses: dict[str, str] = {}
        sizes: dict[str, float] = {}

        def on_request(event: dict[str, Any]) -> None:
            addresses[event["requestId"]] = event["request"]["url"]

        def on_finished(event: dict[str, Any]) -> None:
            sizes[event["requestId"]] = event["encodedDataLength"]

        session.on("Network.requestWillBeSent", on_request)
        session.on("Network.loadingFinished", on_finished)
        await session.send("Network.enable")
        await page.goto(f"{server.url}/r/{slug}", wait_until="networkidle")
        await asyncio.sleep(1)
    strangers = [
        url for url in addresses.values() if not url.startswith((server.url, "data:", "blob:"))
    ]
    weight = sum(sizes.values())
    outcome.goals.append(
        Goal(
            "page weight, first visit, compressed",
            "≤ 400 kB, no third-party request",
            f"{weight / 1000:.0f} kB, {len(strangers)} third-party requests",
            weight <= 400_000 and not strangers,
        )
    )
    heaviest = sorted(sizes, key=lambda id: sizes[id], reverse=True)[:_HEAVIEST]
    outcome.tables.append(
        Table(
            "What a first visit loads",
            ["file", "kB"],
            [
                [_shorten(addresses[id], server.url), f"{sizes[id] / 1000:.1f}"]
                for id in heaviest
                if id in addresses
            ],
            f"The heaviest of {len(sizes)} responses of a room with a full page, cache empty.",
        )
    )


async def _read_metrics(session: CDPSession) -> dict[str, float]:
    answer = await session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in answer["metrics"]}


def _shorten(url: str, origin: str) -> str:
    path = url.removeprefix(origin).partition("?")[0]
    return "the page" if path.startswith("/r/") else path.rpartition("/")[2]
