"""Going from room to room on one page, beside loading a page."""

import time
from statistics import median

from playwright.async_api import CDPSession, Page

from benchmarks.browser import read_metrics
from benchmarks.chromium import chromium, new_page
from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import anonchat
from tools.servers.process import ManagedProcess

_ROOMS = 5
_MESSAGES = 60
_LOADS = 15
_WARM = 50
_MANY = 1_000
_THROTTLE = 4
_GROWTH_MAX = 1.1
_METRICS = {"JSHeapUsedSize": "bytes of scripts", "Nodes": "nodes", "JSEventListeners": "listeners"}
_SHOWN = """name => {
    const heading = document.querySelector("h1")?.textContent;
    return heading === name && document.querySelector("[role=log] [data-key]") !== null;
}"""


async def measure(lab: Lab) -> Outcome:
    """Go from room to room many times; then load rooms as well, at full speed and slowed down."""
    async with seeding(lab.folder / "data") as seeder:
        (ann,) = await seeder.add_visitors(1)
        rows = await seeder.add_rooms(_ROOMS)
        await seeder.add_messages(rows, [ann], _MESSAGES)
        await seeder.add_members([(room, ann) for room in rows])
    rooms = [seeder.room_name(row.id) for row in rows]
    outcome = Outcome()
    async with anonchat(lab.folder / "data") as server, chromium() as browser:
        page = await new_page(browser, server.url, ann.token)
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        await _load(page, f"{server.url}/r/{rooms[0]}", rooms[0])
        for number in range(_WARM):
            await _go(page, rooms[number % _ROOMS])
        before = await _read_memory(session, server)
        many = lab.scaled(_MANY, minimum=20)
        for number in range(many):
            await _go(page, rooms[number % _ROOMS])
        after = await _read_memory(session, server)
        times = {
            rate: await _measure_times(lab, page, session, server.url, rooms, rate)
            for rate in (1, _THROTTLE)
        }
    _report_times(outcome, times)
    _report_growth(outcome, many, before, after)
    return outcome


async def _measure_times(
    lab: Lab, page: Page, session: CDPSession, url: str, rooms: list[str], rate: int
) -> tuple[float, float]:
    """Return the median milliseconds from room to room, and those of loading a room."""
    await _set_throttling(session, rate)
    goes, loads = [], []
    for number in range(lab.scaled(_LOADS, minimum=3)):
        first, second, third = (rooms[(number + step) % _ROOMS] for step in range(3))
        loads.append(await _load(page, f"{url}/r/{first}", first))
        goes += [await _go(page, second), await _go(page, third)]
    return median(goes), median(loads)


async def _set_throttling(session: CDPSession, rate: int) -> None:
    await session.send("Emulation.setCPUThrottlingRate", {"rate": rate})


async def _load(page: Page, url: str, name: str) -> float:
    """Load a room; return the milliseconds until it is shown and connected."""
    started = time.perf_counter()
    await page.goto(url, wait_until="commit")
    await page.wait_for_function(_SHOWN, arg=name, polling="raf")
    await page.wait_for_function("window.did_handshake", polling="raf")
    return (time.perf_counter() - started) * 1000


async def _go(page: Page, name: str) -> float:
    """Click on a room in the sidebar; return the milliseconds until it is shown."""
    link = page.locator(".sidebar-room").filter(has_text=name)
    started = time.perf_counter()
    await link.evaluate("link => link.click()")
    await page.wait_for_function(_SHOWN, arg=name, polling="raf")
    return (time.perf_counter() - started) * 1000


async def _read_memory(session: CDPSession, server: ManagedProcess) -> dict[str, float]:
    await session.send("HeapProfiler.collectGarbage")
    metrics = await read_metrics(session)
    memory = {what: metrics[name] for name, what in _METRICS.items()}
    return memory | {"bytes of the server": server.resident_bytes()}


def _report_times(outcome: Outcome, times: dict[int, tuple[float, float]]) -> None:
    (go, load), (slow, _) = times[1], times[_THROTTLE]
    outcome.goals += [
        Goal(
            "from room to room: median beside loading a page",
            "≤ 0.3 ×, ≤ 100 ms",
            f"{go / load:.2f} ×, {go:.0f} ms",
            go <= min(0.3 * load, 100),
            "Most of it is Chromium's layout of the room's rows, which a load needs as well.",
        ),
        Goal(
            f"the same, with the browser slowed down {_THROTTLE} times",
            "≤ 250 ms",
            f"{slow:.0f} ms",
            slow <= 250,
            "The same layout, at a quarter of the speed.",
        ),
    ]
    outcome.tables.append(
        Table(
            "From room to room in Chromium",
            ["processor of the browser", "room to room, ms", "loading a room, ms"],
            [
                [f"1/{rate}" if rate > 1 else "as it is", f"{go:.0f}", f"{load:.0f}"]
                for rate, (go, load) in times.items()
            ],
            f"Medians until the name and the messages of the room are shown; {_MESSAGES} messages.",
        )
    )


def _report_growth(
    outcome: Outcome, many: int, before: dict[str, float], after: dict[str, float]
) -> None:
    worst = max(after[name] / before[name] for name in before)
    outcome.goals.append(
        Goal(
            f"growth over {many:,} times from room to room",
            f"≤ {_GROWTH_MAX} ×",
            f"{worst:.2f} ×",
            worst <= _GROWTH_MAX,
        )
    )
    outcome.tables.append(
        Table(
            f"{many:,} times from room to room",
            ["what", "before", "after"],
            [[what, f"{before[what]:,.0f}", f"{after[what]:,.0f}"] for what in before],
            "After garbage collection in the browser.",
        )
    )
