"""Many rooms at once: cost of idle screens, and latency of messages."""

import asyncio
import time

from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.profile import profiling
from benchmarks.server import anonchat

_ROOMS = 1_000
_SCREENS_EACH = 5
_EVERY_SECONDS = 5
_AT_ONCE = 50
_OPENING_SECONDS = 90
_SETTLE_SECONDS = 6.0
_IDLE_SECONDS = 16.0  # one ping per socket
_PROFILE_SECONDS = 6.0
_SECONDS = 15.0


async def measure(lab: Lab) -> Outcome:
    """Open all rooms, measure them idle, then talk."""
    wanted = lab.scaled(_ROOMS)
    async with seeding(lab.folder / "data") as seeder:
        rooms = await seeder.add_rooms(wanted)
        guests = await seeder.add_visitors(wanted * _SCREENS_EACH)
        await seeder.add_messages(rooms, guests[:_SCREENS_EACH], 5)
        specs = [
            {"room": seeder.room_name(rooms[number % wanted].id), "token": guest.token}
            for number, guest in enumerate(guests)
        ]
        await seeder.add_members(
            [(rooms[number % wanted], guest) for number, guest in enumerate(guests)]
        )
    specs.sort(key=lambda spec: spec["room"])
    async with anonchat(lab.folder / "data") as server, Load() as load:
        started = time.monotonic()
        opened = 0
        while opened < len(specs) and time.monotonic() - started < _OPENING_SECONDS:
            batch = specs[opened : opened + _AT_ONCE * _SCREENS_EACH]
            await load.open("anonchat", server.url, batch)
            opened += len(batch)
        took = time.monotonic() - started
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        before = server.processor_seconds()
        await asyncio.sleep(_IDLE_SECONDS)
        idle = (server.processor_seconds() - before) / _IDLE_SECONDS * 1000 / opened * 1000
        open_rooms = opened // _SCREENS_EACH
        async with profiling(server, f"{opened:,} idle screens") as profile:
            await asyncio.sleep(lab.scaled_seconds(_PROFILE_SECONDS))
        rate = open_rooms / _EVERY_SECONDS
        before = server.processor_seconds()
        result = await load.talk(
            rate=rate, seconds=lab.scaled_seconds(_SECONDS), speakers=open_rooms
        )
        spent = server.processor_seconds() - before
        async with profiling(server, f"{open_rooms} rooms that talk") as talking:
            await load.talk(
                rate=rate, seconds=lab.scaled_seconds(_PROFILE_SECONDS), speakers=open_rooms
            )
    is_whole = open_rooms == wanted
    short = "" if is_whole else f" ({open_rooms} rooms: more did not open within 90 s)"
    return Outcome(
        goals=[
            Goal(
                "idle screens: processor time per second per 1,000",
                "≤ 60 ms",
                f"{idle:.0f} ms",
                idle <= 60,
                "NiceGUI wakes up for each page once a second, engine.io pings it every 16 "
                "seconds; our own lists cost nothing while nothing happens.",
            ),
            Goal(
                "1,000 rooms × 5 screens, one message per room every 5 s: p99",
                "≤ 100 ms",
                f"{result.p99:.0f} ms{short}",
                result.p99 <= 100 if is_whole or result.p99 > 100 else None,
                "Each message is a commit, a rendering and a packet for five screens only, so "
                "hardly anything is shared; once a second all changed rooms are rendered for the "
                "lobby and the sidebars, and messages wait behind that.",
            ),
        ],
        tables=[
            Table(
                "Many rooms",
                [
                    "rooms × screens",
                    "opened in s",
                    "idle ms/s per 1,000 screens",
                    "messages/s",
                    "processors taken",
                    "p50 ms",
                    "p99 ms",
                    "worst ms",
                ],
                [
                    [
                        f"{open_rooms} × {_SCREENS_EACH}",
                        f"{took:.0f}",
                        f"{idle:.0f}",
                        f"{rate:g}",
                        f"{spent / result.seconds:.2f}",
                        f"{result.p50:.1f}",
                        f"{result.p99:.1f}",
                        f"{result.max:.0f}",
                    ]
                ],
            ),
            *profile,
            *talking,
        ],
    )
