"""Many small rooms: processor time of a post in all that it causes, and the rate that one bears."""

import asyncio
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load, TalkResult
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.profile import profiling
from benchmarks.server import anonchat
from tools.servers.process import ManagedProcess

_ROOMS = 120
_SCREENS_EACH = (5, 1)
_RATE = 40
_BUSY_RATES = (100, 200, 400)
_AT_ONCE = 8
_SETTLE_SECONDS = 3.0
_WARM_SECONDS = 3.0
_SECONDS = 10.0
_PROFILE_SECONDS = 5.0
_P99_MAX = 100.0
_COST_GOALS = {5: 2.0, 1: 1.2}


@dataclass(frozen=True, slots=True)
class _Run:
    """What the posts of one interval cost."""

    rooms: int
    screens: int
    rate: float
    main: float
    processor: float
    result: TalkResult

    @property
    def cost(self) -> float:
        """Milliseconds of the main thread for each post."""
        return self.main / self.result.posted * 1e3

    @property
    def whole_cost(self) -> float:
        """Milliseconds of processor time for each post, all threads."""
        return self.processor / self.result.posted * 1e3


async def measure(lab: Lab) -> Outcome:
    """Let small rooms talk, with five screens each and with one."""
    runs: list[_Run] = []
    profiles: list[Table] = []
    for screens in _SCREENS_EACH:
        folder = lab.folder / f"{screens}-screens"
        specs = await _seed(folder / "data", lab.scaled(_ROOMS), screens)
        rooms = len(specs) // screens
        async with anonchat(folder / "data") as server, Load() as load:
            await load.open("anonchat", server.url, specs, at_once=_AT_ONCE)
            await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
            for rate in (_RATE, *(_BUSY_RATES if screens == max(_SCREENS_EACH) else ())):
                runs.append(await _talk(lab, server, load, rooms, screens, rate))
                if runs[-1].result.p99 > _P99_MAX:
                    break
            title = f"{rooms} rooms × {screens} screens, {_RATE} messages/s"
            async with profiling(server, title) as profile:
                seconds = lab.scaled_seconds(_PROFILE_SECONDS)
                await load.talk(rate=_RATE, seconds=seconds, speakers=rooms)
            profiles += profile
    return Outcome(goals=_evaluate(runs), tables=[_make_table(runs), *profiles])


async def _talk(
    lab: Lab, server: ManagedProcess, load: Load, rooms: int, screens: int, rate: float
) -> _Run:
    """Let one screen of each room post, at a rate for all rooms."""
    await load.talk(rate=rate, seconds=lab.scaled_seconds(_WARM_SECONDS), speakers=rooms)
    main, processor = server.main_thread_seconds(), server.processor_seconds()
    result = await load.talk(rate=rate, seconds=lab.scaled_seconds(_SECONDS), speakers=rooms)
    main, processor = server.main_thread_seconds() - main, server.processor_seconds() - processor
    return _Run(rooms, screens, rate, main, processor, result)


async def _seed(data: Path, rooms: int, screens: int) -> list[dict[str, str]]:
    """Fill the database; return a screen for each member, room by room."""
    async with seeding(data) as seeder:
        rows = await seeder.add_rooms(rooms)
        guests = await seeder.add_visitors(rooms * screens)
        await seeder.add_messages(rows, guests[:screens], 5)
        pairs = [(rows[number % rooms], guest) for number, guest in enumerate(guests)]
        await seeder.add_members(pairs)
    specs = [{"room": seeder.room_name(room.id), "token": guest.token} for room, guest in pairs]
    return sorted(specs, key=itemgetter("room"))


def _evaluate(runs: list[_Run]) -> list[Goal]:
    goals = [
        Goal(
            f"main thread per post, {run.rooms} rooms × {run.screens} screens, {_RATE} posts/s",
            f"≤ {_COST_GOALS[run.screens]:g} ms",
            f"{run.cost:.1f} ms",
            run.cost <= _COST_GOALS[run.screens],
            "See the profile: a commit of its own, rows drawn for each room, and the layers of "
            "socket.io around each event.",
        )
        for run in runs
        if run.rate == _RATE
    ]
    borne = max((run.rate for run in runs if run.result.p99 <= _P99_MAX), default=0)
    goals.append(
        Goal(
            f"one process, rooms of five: posts per second with p99 ≤ {_P99_MAX:.0f} ms",
            f"≥ {_BUSY_RATES[-1]}",
            f"{borne:g}",
            borne >= _BUSY_RATES[-1],
            "The cost of each post, above.",
        )
    )
    return goals


def _make_table(runs: list[_Run]) -> Table:
    return Table(
        "Small rooms",
        [
            "rooms × screens",
            "posts/s",
            "main thread, ms per post",
            "all threads, ms per post",
            "processors taken",
            "p50 ms",
            "p99 ms",
            "worst ms",
        ],
        [
            [
                f"{run.rooms} × {run.screens}",
                f"{run.rate:g}",
                f"{run.cost:.2f}",
                f"{run.whole_cost:.2f}",
                f"{run.processor / run.result.seconds:.2f}",
                f"{run.result.p50:.1f}",
                f"{run.result.p99:.1f}",
                f"{run.result.max:.0f}",
            ]
            for run in runs
        ],
        "Everything that a post causes is included: the event from the browser, storing, drawing "
        "and delivering it, read marks, unread counts, the sidebars and the lobby.",
    )
