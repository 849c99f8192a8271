"""Opening a room: processor time per opening, and memory per open screen."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.profile import profiling
from benchmarks.server import anonchat

_SCREENS = 40
_WARM_SCREENS = 20
_OWN_ROOMS = 50
_MEMBERS = 200
_MESSAGES = 100_000
_SETTLE_SECONDS = 3.0

ScreenSpecs = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one opening: processor time of the server in milliseconds, memory in bytes."""

    processor: float
    memory: float
    profile: list[Table]


async def measure(lab: Lab) -> Outcome:
    """Open screens of a full room, then screens of empty rooms."""
    screens = lab.scaled(_SCREENS, minimum=4) + _WARM_SCREENS
    full_specs, empty_specs = await _seed(lab, screens)
    empty = await _open(lab.folder / "data", empty_specs, "opening an empty room")
    full = await _open(lab.folder / "data", full_specs, "opening a full room")
    what = "(50 own rooms, 200 members, 100,000 messages)"
    processor, memory = full.processor / empty.processor, full.memory / empty.memory
    return Outcome(
        goals=[
            Goal(
                f"opening a room: server processor time {what}",
                "≤ 10 ms",
                f"{full.processor:.1f} ms",
                full.processor <= 10,
                "An empty room costs as much: it is the cost of NiceGUI, its socket, the "
                "middleware and compression for any page (see the profile).",
            ),
            Goal(
                f"opening a room: memory held per open screen {what}",
                "≤ 200 kB",
                f"{full.memory / 1000:.0f} kB",
                full.memory <= 200_000,
                "NiceGUI's page, outbox and socket are a large part of it, without anything of "
                "ours; the rows are held by the browser only.",
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
                f"All screens stay open; {_WARM_SCREENS} were open before. The screens of the "
                "full room also receive each other's presence, which is included.",
            ),
            *full.profile,
        ],
    )


async def _seed(lab: Lab, screens: int) -> tuple[ScreenSpecs, ScreenSpecs]:
    async with seeding(lab.folder / "data") as seeder:
        members = await seeder.add_visitors(max(screens, _MEMBERS))
        rooms = await seeder.add_rooms(_OWN_ROOMS)
        await seeder.add_messages(rooms[:1], members, lab.scaled(_MESSAGES))
        await seeder.add_messages(rooms[1:], members, 20)
        await seeder.add_members([(room, guest) for room in rooms for guest in members])
        owners = await seeder.add_visitors(screens)
        own = await seeder.add_rooms(screens)
        await seeder.add_members(list(zip(own, owners, strict=True)))
    full = [
        {"room": seeder.room_name(rooms[0].id), "token": guest.token} for guest in members[:screens]
    ]
    empty = [
        {"room": seeder.room_name(room.id), "token": guest.token}
        for room, guest in zip(own, owners, strict=True)
    ]
    return full, empty


async def _open(data: Path, specs: ScreenSpecs, title: str) -> Cost:
    early, counted = specs[:_WARM_SCREENS], specs[_WARM_SCREENS:]
    async with anonchat(data) as server, Load() as load:
        await load.open("anonchat", server.url, early, at_once=2)
        await asyncio.sleep(_SETTLE_SECONDS)
        processor, memory = server.processor_seconds(), server.resident_bytes()
        await load.open("anonchat", server.url, counted, at_once=2)
        await asyncio.sleep(_SETTLE_SECONDS)
        processor = (server.processor_seconds() - processor) / len(counted) * 1000
        memory = (server.resident_bytes() - memory) / len(counted)
        async with profiling(server, title) as profile:
            await load.open("anonchat", server.url, early, at_once=2)
    return Cost(processor, memory, profile)
