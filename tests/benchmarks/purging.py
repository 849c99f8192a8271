"""A million messages that expire at once, while people talk."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Page

from tests.benchmarks.chromium import chromium, new_page
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.profile import profiling
from tests.benchmarks.server import anonchat
from tests.benchmarks.town import founding, multiply

_MESSAGES = 1_000_000
_ROOMS = 20
_SCREENS = 100
_RATE = 20
_SPEAKERS = 20
_LIFE = timedelta(seconds=10)  # of what is said meanwhile, so that screens have to forget
_LEAD = timedelta(seconds=60)  # from the filling of the database to the end of the million
_SECONDS = 8.0
_PROFILE_SECONDS = 4.0
_WATCH = """() => {
    window.forgotten = [];
    new MutationObserver((changes) => {
        for (const { removedNodes } of changes) {
            for (const { dataset } of removedNodes) {
                if (dataset?.until) window.forgotten.push([Date.now(), Date.now() - dataset.until]);
            }
        }
    }).observe(document.querySelector("[role=log]"), { childList: true });
}"""
_EARLY_MS = -1_000  # what goes before its time was replaced or scrolled away, not forgotten


async def measure(lab: Lab) -> Outcome:
    """Talk before the moment at which the million expire, and after it."""
    screens = lab.sized(_SCREENS, least=3)
    messages = lab.sized(_MESSAGES, least=10_000)
    data = lab.folder / "data"
    async with founding(data) as town:
        guests = await town.come_in(screens)
        rooms = await town.open_rooms(_ROOMS, message_ttl=_LIFE)
        await town.say(rooms, guests, 1)
        await town.join([(rooms[0], guest) for guest in guests])
    end = multiply(data, messages, lasting=_LEAD)
    slug = town.name(rooms[0].id)
    seats = [{"room": slug, "token": guest.token} for guest in guests]
    seconds, by = lab.lasting(_SECONDS), min(_SPEAKERS, screens)
    async with (
        anonchat(data, janitor_interval="1s") as server,
        Load() as load,
        chromium() as browser,
    ):
        page = await new_page(browser, server.url, guests[0].token)
        await page.goto(f"{server.url}/r/{slug}")
        await load.open("anonchat", server.url, seats)
        await page.evaluate(_WATCH)
        await load.talk(rate=_RATE, seconds=4, by=by)
        calm = await load.talk(rate=_RATE, seconds=seconds, by=by)
        left = (end - datetime.now(UTC)).total_seconds()
        if left < 0:
            raise RuntimeError(f"this machine is too slow: everything expired {-left:.0f} s early")
        await load.talk(rate=_RATE, seconds=left + 2, by=by)
        before = _count_expired(data, end)
        purging = await load.talk(rate=_RATE, seconds=seconds, by=by)
        after = _count_expired(data, end)
        async with profiling(server, "a purge, while people talk") as profile:
            await load.talk(rate=_RATE, seconds=lab.lasting(_PROFILE_SECONDS), by=by)
        late = await _lateness(page, since=end)
    if not 0 < before < messages:
        raise RuntimeError(f"nothing was purged meanwhile: {before} of {messages} were left")
    times = purging.p99 / calm.p99
    return Outcome(
        goals=[
            Goal(
                f"purging {messages:,} expired messages while delivering: p99",
                f"≤ 2 × calm ({calm.p99:.1f} ms)",
                f"{purging.p99:.1f} ms, {times:.2f} ×",
                times <= 2,
            ),
            Goal(
                "screens forget meanwhile, p99",
                "≤ 1 s late",
                f"{late / 1000:.2f} s late",
                late <= 1000,
            ),
        ],
        tables=[
            Table(
                "A purge",
                ["", "p50 ms", "p99 ms", "worst ms"],
                [
                    [name, f"{stretch.p50:.1f}", f"{stretch.p99:.1f}", f"{stretch.max:.0f}"]
                    for name, stretch in (
                        (f"{_RATE} messages/s to {screens} screens", calm),
                        (f"the same, while {messages:,} are purged", purging),
                    )
                ],
                f"{(before - after) / purging.seconds:,.0f} messages were purged a second; "
                f"{after:,} were left at the end of the measurement. What is said meanwhile lives "
                "for 10 s; how late it goes is seen in Chromium.",
            ),
            *profile,
        ],
    )


def _count_expired(data: Path, end: datetime) -> int:
    with closing(sqlite3.connect(f"file:{data / 'anonchat.db'}?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM message WHERE expires_at = ?"
        count: int = database.execute(query, [f"{end:%Y-%m-%d %H:%M:%S.%f}"]).fetchone()[0]
    return count


async def _lateness(page: Page, *, since: datetime) -> float:
    """Return how many milliseconds late the screen forgot, at the worst of a hundred."""
    forgotten = await page.evaluate("window.forgotten")
    moment = since.timestamp() * 1000
    late = sorted(late for at, late in forgotten if at > moment and late > _EARLY_MS)
    if not late:
        raise RuntimeError("the screen forgot nothing")
    return late[int(len(late) * 0.99)]
