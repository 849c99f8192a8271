"""Opening a room: what a screen costs as it comes, and what it holds while it is there."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.profile import profiling
from tests.benchmarks.server import anonchat
from tests.benchmarks.town import founding

_SCREENS = 40
_WARM_SCREENS = 20
_OWN_ROOMS = 50
_MEMBERS = 200
_MESSAGES = 100_000
_SETTLE_SECONDS = 3.0

Seats = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one opening takes: milliseconds of the server's processor, bytes it holds afterwards."""

    processor: float
    memory: float
    profile: list[Table]


async def measure(lab: Lab) -> Outcome:
    """Open a full room, and as many empty ones."""
    screens = lab.sized(_SCREENS, least=4) + _WARM_SCREENS
    full_seats, empty_seats = await _furnish(lab, screens)
    empty = await _open(lab.folder / "data", empty_seats, "opening an empty room")
    full = await _open(lab.folder / "data", full_seats, "opening a full room")
    what = "(50 own rooms, 200 members, 100,000 messages)"
    processor, memory = full.processor / empty.processor, full.memory / empty.memory
    return Outcome(
        goals=[
            Goal(
                f"opening a room: server processor time {what}",
                "≤ 10 ms",
                f"{full.processor:.1f} ms",
                full.processor <= 10,
                "An empty room costs as much: it is what NiceGUI, its socket and their middleware "
                "take for any page, and compressing it (see the profile).",
            ),
            Goal(
                f"opening a room: memory held per open screen {what}",
                "≤ 200 kB",
                f"{full.memory / 1000:.0f} kB",
                full.memory <= 200_000,
                "A page of NiceGUI, its outbox and its socket are a large part before anything "
                "of ours is in it; the rows are held by the browser alone.",
            ),
            Goal(
                "the same beside an empty room",
                "≤ 1.3 ×",
                f"processor {processor:.2f} ×, memory {memory:.2f} ×",
                max(processor, memory) <= 1.3,
            ),
        ],
        tables=[
            Table(
                "Opening a room",
                ["room", "ms of processor per opening", "kB held per open screen"],
                [
                    [name, f"{cost.processor:.1f}", f"{cost.memory / 1000:.0f}"]
                    for name, cost in (
                        (f"full: {_OWN_ROOMS} own rooms each, {_MEMBERS} members", full),
                        ("empty: a room of one's own, and no other", empty),
                    )
                ],
                "An opening is the page, the socket, and the first answer to each of its lists. "
                f"All screens stay open, {_WARM_SCREENS} were there before. In the full room that "
                "they share they hear of each other's coming, which is counted in.",
            ),
            *full.profile,
        ],
    )


async def _furnish(lab: Lab, screens: int) -> tuple[Seats, Seats]:
    async with founding(lab.folder / "data") as town:
        members = await town.come_in(max(screens, _MEMBERS))
        rooms = await town.open_rooms(_OWN_ROOMS)
        await town.say(rooms[:1], members, lab.sized(_MESSAGES))
        await town.say(rooms[1:], members, 20)
        await town.join([(room, guest) for room in rooms for guest in members])
        loners = await town.come_in(screens)
        own = await town.open_rooms(screens)
        await town.join(list(zip(own, loners, strict=True)))
    full = [{"room": town.name(rooms[0].id), "token": guest.token} for guest in members[:screens]]
    empty = [
        {"room": town.name(room.id), "token": guest.token}
        for room, guest in zip(own, loners, strict=True)
    ]
    return full, empty


async def _open(data: Path, seats: Seats, title: str) -> Cost:
    early, counted = seats[:_WARM_SCREENS], seats[_WARM_SCREENS:]
    async with anonchat(data) as server, Load() as load:
        await load.open("anonchat", server.url, early, at_once=2)
        await asyncio.sleep(_SETTLE_SECONDS)
        processor, memory = server.processor(), server.memory()
        await load.open("anonchat", server.url, counted, at_once=2)
        await asyncio.sleep(_SETTLE_SECONDS)
        processor = (server.processor() - processor) / len(counted) * 1000
        memory = (server.memory() - memory) / len(counted)
        async with profiling(server, title) as profile:
            await load.open("anonchat", server.url, early, at_once=2)
    return Cost(processor, memory, profile)
