"""One client who floods a room with posts, and every other way in: what the others notice."""

import asyncio

from anonchat import Settings
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.server import anonchat
from tests.benchmarks.town import founding
from tests.benchmarks.ways_in import flood_ways

_SCREENS = 100
_RATE = 20
_FLOOD_RATE = 200
_SPEAKERS = 20
_SETTLE_SECONDS = 4.0
_BURST_SECONDS = 3.0
_SECONDS = 8.0
_AS_USUAL = {"posts_per_visitor": str(Settings.model_fields["posts_per_visitor"].default)}


async def measure(lab: Lab) -> Outcome:
    """Flood a room of a hundred with posts, then every way in, one after the other."""
    outcome = await flood_ways(lab)
    if not lab.only:
        posts = await _flood_posts(lab)
        outcome.goals[:0] = posts.goals
        outcome.tables[:0] = posts.tables
    return outcome


async def _flood_posts(lab: Lab) -> Outcome:
    """Talk in peace, then beside the flood."""
    screens = lab.sized(_SCREENS, least=3)
    async with founding(lab.folder / "posts" / "data") as town:
        guests = await town.come_in(screens)
        (room,) = await town.open_rooms(1)
        await town.join([(room, guest) for guest in guests])
    seats = [{"room": town.name(room.id), "token": guest.token} for guest in guests]
    seconds, by = lab.lasting(_SECONDS), min(_SPEAKERS, screens - 1)
    async with anonchat(lab.folder / "posts" / "data", **_AS_USUAL) as server, Load() as load:
        await load.open("anonchat", server.url, seats)
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        await load.talk(rate=_RATE, seconds=2, by=by, start=1)
        calm = await load.talk(rate=_RATE, seconds=seconds, by=by, start=1)
        await load.flood(rate=_FLOOD_RATE)
        await asyncio.sleep(lab.lasting(_BURST_SECONDS))
        flooded = await load.talk(rate=_RATE, seconds=seconds, by=by, start=1)
        await load.calm()
    times = flooded.p99 / calm.p99
    return Outcome(
        goals=[
            Goal(
                f"one flooding visitor among {screens}: the others' p99",
                f"≤ 1.2 × calm ({calm.p99:.1f} ms)",
                f"{flooded.p99:.1f} ms, {times:.2f} ×",
                times <= 1.2,
                "What is let through of the flood goes to every screen as well.",
            )
        ],
        tables=[
            Table(
                "A flood",
                ["", "p50 ms", "p99 ms", "worst ms"],
                [
                    [name, f"{stretch.p50:.1f}", f"{stretch.p99:.1f}", f"{stretch.max:.0f}"]
                    for name, stretch in (
                        (f"{_RATE} messages/s among {screens} screens", calm),
                        (f"the same, while one posts {_FLOOD_RATE} a second on top", flooded),
                    )
                ],
                "With the limit that every site has: what is free at once, some 300 posts, went "
                "through in the seconds before, and then most of the flood is refused. Elsewhere "
                "on this page nobody is held back.",
            )
        ],
    )
