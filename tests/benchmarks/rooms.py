"""Many rooms at once: what screens cost that nobody talks on, and how late messages come."""

import asyncio
import time

from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.profile import profiling
from tests.benchmarks.server import anonchat
from tests.benchmarks.town import founding

_ROOMS = 1_000
_SCREENS_EACH = 5
_EVERY_SECONDS = 5
_AT_ONCE = 50
_OPENING_SECONDS = 90
_SETTLE_SECONDS = 6.0
_IDLE_SECONDS = 16.0  # one ping for each socket
_PROFILE_SECONDS = 6.0
_SECONDS = 15.0


async def measure(lab: Lab) -> Outcome:
    """Open all rooms, keep silent, then talk."""
    wanted = lab.sized(_ROOMS)
    async with founding(lab.folder / "data") as town:
        rooms = await town.open_rooms(wanted)
        guests = await town.come_in(wanted * _SCREENS_EACH)
        await town.say(rooms, guests[:_SCREENS_EACH], 5)
        seats = [
            {"room": town.name(rooms[number % wanted].id), "token": guest.token}
            for number, guest in enumerate(guests)
        ]
        await town.join([(rooms[number % wanted], guest) for number, guest in enumerate(guests)])
    seats.sort(key=lambda seat: seat["room"])
    async with anonchat(lab.folder / "data") as server, Load() as load:
        started = time.monotonic()
        opened = 0
        while opened < len(seats) and time.monotonic() - started < _OPENING_SECONDS:
            batch = seats[opened : opened + _AT_ONCE * _SCREENS_EACH]
            await load.open("anonchat", server.url, batch)
            opened += len(batch)
        took = time.monotonic() - started
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        before = server.processor()
        await asyncio.sleep(_IDLE_SECONDS)
        idle = (server.processor() - before) / _IDLE_SECONDS * 1000 / opened * 1000
        open_rooms = opened // _SCREENS_EACH
        async with profiling(server, f"{opened:,} idle screens") as profile:
            await asyncio.sleep(lab.lasting(_PROFILE_SECONDS))
        rate = open_rooms / _EVERY_SECONDS
        before = server.processor()
        stretch = await load.talk(rate=rate, seconds=lab.lasting(_SECONDS), by=open_rooms)
        spent = server.processor() - before
        async with profiling(server, f"{open_rooms} rooms that talk") as talking:
            await load.talk(rate=rate, seconds=lab.lasting(_PROFILE_SECONDS), by=open_rooms)
    is_whole = open_rooms == wanted
    short = "" if is_whole else f" ({open_rooms} rooms: more did not open within 90 s)"
    return Outcome(
        goals=[
            Goal(
                "idle screens: processor time per second per 1,000",
                "≤ 60 ms",
                f"{idle:.0f} ms",
                idle <= 60,
                "NiceGUI wakes for each page once a second, engine.io pings it every sixteen: our "
                "own lists cost nothing while nothing happens.",
            ),
            Goal(
                "1,000 rooms × 5 screens, one message per room every 5 s: p99",
                "≤ 100 ms",
                f"{stretch.p99:.0f} ms{short}",
                stretch.p99 <= 100 if is_whole or stretch.p99 > 100 else None,
                "Each message is a commit, a drawing and a packet for five screens alone, so that "
                "hardly anything is shared; once a second all rooms that changed are drawn for "
                "those who see them from outside, and messages wait behind that.",
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
                        f"{spent / stretch.seconds:.2f}",
                        f"{stretch.p50:.1f}",
                        f"{stretch.p99:.1f}",
                        f"{stretch.max:.0f}",
                    ]
                ],
            ),
            *profile,
            *talking,
        ],
    )
