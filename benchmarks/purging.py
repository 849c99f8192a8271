"""A purge of a million messages that expire at once, during a conversation."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Page

from benchmarks.chromium import chromium, new_page
from benchmarks.database_seeder import multiply_messages, seeding
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.profile import profiling
from benchmarks.server import anonchat

_MESSAGES = 1_000_000
_ROOMS = 20
_SCREENS = 100
_RATE = 20
_SPEAKERS = 20
_TTL = timedelta(seconds=10)  # of messages posted meanwhile, so that screens remove rows
_LEAD = timedelta(seconds=60)  # from seeding the database to the expiry of the million
_SECONDS = 8.0
_PROFILE_SECONDS = 4.0
_OBSERVER = """() => {
    window.removed = [];
    new MutationObserver((changes) => {
        for (const { removedNodes } of changes) {
            for (const { dataset } of removedNodes) {
                if (dataset?.until) window.removed.push([Date.now(), Date.now() - dataset.until]);
            }
        }
    }).observe(document.querySelector("[role=log]"), { childList: true });
}"""
_EARLY_MS = -1_000  # rows removed earlier were replaced or trimmed, not expired


async def measure(lab: Lab) -> Outcome:
    """Talk before and after the million messages expire."""
    screens = lab.scaled(_SCREENS, minimum=3)
    messages = lab.scaled(_MESSAGES, minimum=10_000)
    data = lab.folder / "data"
    async with seeding(data) as seeder:
        guests = await seeder.add_visitors(screens)
        rooms = await seeder.add_rooms(_ROOMS, message_ttl=_TTL)
        await seeder.add_messages(rooms, guests, 1)
        await seeder.add_members([(rooms[0], guest) for guest in guests])
    end = multiply_messages(data, messages, expires_in=_LEAD)
    slug = seeder.room_name(rooms[0].id)
    specs = [{"room": slug, "token": guest.token} for guest in guests]
    seconds, speakers = lab.scaled_seconds(_SECONDS), min(_SPEAKERS, screens)
    async with (
        anonchat(data, janitor_interval="1s") as server,
        Load() as load,
        chromium() as browser,
    ):
        page = await new_page(browser, server.url, guests[0].token)
        await page.goto(f"{server.url}/r/{slug}")
        await load.open("anonchat", server.url, specs)
        await page.evaluate(_OBSERVER)
        await load.talk(rate=_RATE, seconds=4, speakers=speakers)
        calm = await load.talk(rate=_RATE, seconds=seconds, speakers=speakers)
        left = (end - datetime.now(UTC)).total_seconds()
        if left < 0:
            raise RuntimeError(f"the machine is too slow: the messages expired {-left:.0f} s early")
        await load.talk(rate=_RATE, seconds=left + 2, speakers=speakers)
        before = _count_expired(data, end)
        purging = await load.talk(rate=_RATE, seconds=seconds, speakers=speakers)
        after = _count_expired(data, end)
        async with profiling(server, "a purge, while people talk") as profile:
            await load.talk(
                rate=_RATE, seconds=lab.scaled_seconds(_PROFILE_SECONDS), speakers=speakers
            )
        late = await _removal_delay(page, since=end)
    if not 0 < before < messages:
        raise RuntimeError(f"no purge during the measurement: {before} of {messages} were left")
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
                    [name, f"{result.p50:.1f}", f"{result.p99:.1f}", f"{result.max:.0f}"]
                    for name, result in (
                        (f"{_RATE} messages/s to {screens} screens", calm),
                        (f"the same, while {messages:,} are purged", purging),
                    )
                ],
                f"{(before - after) / purging.seconds:,.0f} messages were purged a second; "
                f"{after:,} were left at the end of the measurement. Messages posted meanwhile "
                "live for 10 s; Chromium measures how late they disappear.",
            ),
            *profile,
        ],
    )


def _count_expired(data: Path, end: datetime) -> int:
    with closing(sqlite3.connect(f"file:{data / 'anonchat.db'}?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM message WHERE expires_at = ?"
        count: int = database.execute(query, [f"{end:%Y-%m-%d %H:%M:%S.%f}"]).fetchone()[0]
    return count


async def _removal_delay(page: Page, *, since: datetime) -> float:
    """Return how late the page removed expired messages: p99 in milliseconds."""
    removed = await page.evaluate("window.removed")
    start = since.timestamp() * 1000
    late = sorted(late for at, late in removed if at > start and late > _EARLY_MS)
    if not late:
        raise RuntimeError("the page removed no messages")
    return late[int(len(late) * 0.99)]
