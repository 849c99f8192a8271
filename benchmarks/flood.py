"""Floods by one client, with posts and in every other way: latency of the others' posts."""

import asyncio

from anonchat import Settings
from benchmarks.attack_floods import measure_attacks
from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import anonchat

_SCREENS = 100
_RATE = 20
_FLOOD_RATE = 200
_SPEAKERS = 20
_SETTLE_SECONDS = 4.0
_BURST_SECONDS = 3.0
_SECONDS = 8.0
_DEFAULT_LIMIT = {"posts_per_visitor": str(Settings.model_fields["posts_per_visitor"].default)}


async def measure(lab: Lab) -> Outcome:
    """Run each attack, one after the other, then flood a room of a hundred with posts."""
    outcome = await measure_attacks(lab)
    if not lab.only:
        posts = await _flood_posts(lab)
        outcome.goals[:0] = posts.goals
        outcome.tables[:0] = posts.tables
    return outcome


async def _flood_posts(lab: Lab) -> Outcome:
    """Talk without a flood, then during one."""
    screens = lab.scaled(_SCREENS, minimum=3)
    async with seeding(lab.folder / "posts" / "data") as seeder:
        guests = await seeder.add_visitors(screens)
        (room,) = await seeder.add_rooms(1)
        await seeder.add_members([(room, guest) for guest in guests])
    specs = [{"room": seeder.room_name(room.id), "token": guest.token} for guest in guests]
    seconds, speakers = lab.scaled_seconds(_SECONDS), min(_SPEAKERS, screens - 1)
    async with anonchat(lab.folder / "posts" / "data", **_DEFAULT_LIMIT) as server, Load() as load:
        await load.open("anonchat", server.url, specs)
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        await load.talk(rate=_RATE, seconds=2, speakers=speakers, start=1)
        calm = await load.talk(rate=_RATE, seconds=seconds, speakers=speakers, start=1)
        await load.start_flood(rate=_FLOOD_RATE)
        await asyncio.sleep(lab.scaled_seconds(_BURST_SECONDS))
        flooded = await load.talk(rate=_RATE, seconds=seconds, speakers=speakers, start=1)
        await load.stop_flood()
    times = flooded.p99 / calm.p99
    return Outcome(
        goals=[
            Goal(
                f"one flooding visitor among {screens}: the others' p99",
                f"≤ 1.2 × calm ({calm.p99:.1f} ms)",
                f"{flooded.p99:.1f} ms, {times:.2f} ×",
                times <= 1.2,
                "The accepted posts of the flood are delivered to every screen as well.",
            )
        ],
        tables=[
            Table(
                "A flood",
                ["", "p50 ms", "p99 ms", "worst ms"],
                [
                    [name, f"{result.p50:.1f}", f"{result.p99:.1f}", f"{result.max:.0f}"]
                    for name, result in (
                        (f"{_RATE} messages/s among {screens} screens", calm),
                        (f"the same, while one posts {_FLOOD_RATE} a second on top", flooded),
                    )
                ],
                "With the default limit: the burst of some 300 posts was used up in the seconds "
                "before, and then most of the flood is refused. Except for the two floods, the "
                "measures on this page run without limits.",
            )
        ],
    )
