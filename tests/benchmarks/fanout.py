"""A message to many screens in one room: what a delivery costs, and how late it comes."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load, Stretch
from tests.benchmarks.outcome import Goal, Outcome, Ratio, Table
from tests.benchmarks.profile import profiling
from tests.benchmarks.server import Server, anonchat
from tests.benchmarks.town import founding

_HERE = Path(__file__).parent
_SCREENS = 300
_RATE = 20
_BUSY_RATE = 200
_SPEAKERS = 20
_SETTLE_SECONDS = 4.0
_WARM_SECONDS = 2.0
_SECONDS = 10.0
_BUSY_SECONDS = 6.0
_PROFILE_SECONDS = 4.0

Seats = list[dict[str, str]]
Prepare = Callable[[Path, int], Awaitable[tuple[Server, Seats]]]


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who does the work: how many screens they can bear, at which rates."""

    name: str
    kind: str
    prepare: Prepare
    screens: int = _SCREENS
    rates: tuple[float, ...] = (_RATE,)


@dataclass(frozen=True, slots=True)
class Run:
    """What one party needed at one rate."""

    party: Party
    screens: int
    rate: float
    processor: float
    stretch: Stretch
    profile: list[Table]

    @property
    def cost(self) -> float:
        """Microseconds of processor time for each delivery."""
        return self.processor / self.stretch.deliveries * 1e6

    @property
    def load(self) -> float:
        """How much of one processor the server took."""
        return self.processor / self.stretch.seconds


async def measure(lab: Lab) -> Outcome:
    """Let all parties do the same, one after the other."""
    runs = [run for party in PARTIES for run in await run_party(lab, party)]
    return _conclude(runs)


async def run_party(lab: Lab, party: Party) -> list[Run]:
    """Open the screens, and talk at each rate."""
    screens = lab.sized(party.screens, least=3)
    folder = lab.folder / party.kind / party.name.replace(" ", "-").replace("`", "")
    server, seats = await party.prepare(folder, screens)
    runs = []
    async with server, Load() as load:
        await load.open(party.kind, server.url, seats)
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        by = min(_SPEAKERS, screens)
        for rate in party.rates:
            seconds = lab.lasting(_BUSY_SECONDS if rate > _RATE else _SECONDS)
            await load.talk(rate=rate, seconds=lab.lasting(_WARM_SECONDS), by=by)
            before = server.processor()
            stretch = await load.talk(rate=rate, seconds=seconds, by=by)
            spent = server.processor() - before
            profile: list[Table] = []
            if party is ANONCHAT:
                stretch.check()
                async with profiling(server, f"{screens} screens, {rate:g} messages/s") as profile:
                    await load.talk(rate=rate, seconds=lab.lasting(_PROFILE_SECONDS), by=by)
            runs.append(Run(party, screens, rate, spent, stretch, profile))
    return runs


async def _prepare_anonchat(folder: Path, screens: int) -> tuple[Server, Seats]:
    async with founding(folder / "data") as town:
        guests = await town.come_in(screens)
        (room,) = await town.open_rooms(1)
        await town.say([room], guests, 60)
        await town.join([(room, guest) for guest in guests])
    seats = [{"room": town.name(room.id), "token": guest.token} for guest in guests]
    return anonchat(folder / "data"), seats


def _python_peer(module: str) -> Prepare:
    async def prepare(folder: Path, screens: int) -> tuple[Server, Seats]:
        name = f"{__package__}.peers.{module}"
        return Server(sys.executable, "-m", name, "{port}", folder=folder), _plain_seats(screens)

    return prepare


async def _prepare_hack_chat(folder: Path, screens: int) -> tuple[Server, Seats]:
    source = _HERE / "peers" / "hack_chat"
    shutil.copytree(source / "commands", folder / "commands")  # it moves the folder as it starts
    server = Server(shutil.which("node") or "node", source / "main.js", folder=folder)
    limits = {"halflife": 30_000, "threshold": 1e12}
    config = {"modulesPath": "./commands", "rateLimit": limits, "pulseSpeed": 16_000}
    (folder / ".hcserver.json").write_text(json.dumps({"websocketPort": server.port, **config}))
    return server, _plain_seats(screens)


def _plain_seats(screens: int) -> Seats:
    return [{"room": "room", "nickname": f"Guest {number}"} for number in range(screens)]


ANONCHAT = Party("anonchat", "anonchat", _prepare_anonchat, rates=(_RATE, _BUSY_RATE))
_FLOOR = Party("bare `websockets.broadcast`", "json", _python_peer("broadcast"), rates=(20, 200))
_HACK_CHAT = Party("hack.chat's server", "hack_chat", _prepare_hack_chat, rates=(20, 200))
_CHANNELS = Party("Django Channels group", "json", _python_peer("django_channels"))
_APPENDED = Party(
    "NiceGUI, `ui.chat_message` appended", "nicegui", _python_peer("chat_message"), rates=(2,)
)
_REFRESHED = Party(
    "NiceGUI, `ui.refreshable` list",
    "nicegui",
    _python_peer("refreshable"),
    screens=50,
    rates=(1,),
)
PARTIES = (ANONCHAT, _CHANNELS, _APPENDED, _REFRESHED, _HACK_CHAT, _FLOOR)


def _conclude(runs: list[Run]) -> Outcome:
    by_party = {run.party: run for run in reversed(runs)}  # the first rate of each
    busy = {run.party: run for run in runs if run.rate == _BUSY_RATE}
    own, own_busy = by_party[ANONCHAT], busy[ANONCHAT]
    outcome = Outcome()
    for party, run in by_party.items():
        if party is not ANONCHAT:
            what = "processor time per delivery"
            outcome.ratios.append(Ratio(what, party.name, run.cost / own.cost))
    outcome.ratios.append(
        Ratio(
            "processor time per delivery, 200 messages/s",
            _HACK_CHAT.name,
            busy[_HACK_CHAT].cost / own_busy.cost,
        )
    )
    same = f"{own.screens} screens, {own.rate:g} messages/s"
    channels, appended = by_party[_CHANNELS], by_party[_APPENDED]
    floor, hack_chat = by_party[_FLOOR], busy[_HACK_CHAT]
    outcome.goals += [
        Goal(
            f"server processor time per delivery, {same}",
            f"≤ 0.45 × Django Channels ({channels.cost:.0f} µs)",
            f"{own.cost:.1f} µs, {own.cost / channels.cost:.2f} ×",
            own.cost <= 0.45 * channels.cost,
        ),
        Goal(
            f"server processor time per delivery, {same}",
            f"≤ 1/8 of appended `ui.chat_message` ({appended.cost:.0f} µs)",
            f"{own.cost:.1f} µs, 1/{appended.cost / own.cost:.1f}",
            own.cost <= appended.cost / 8,
        ),
        Goal(
            f"p99 delivery latency, {same}",
            f"≤ 2 × bare websockets ({floor.stretch.p99:.1f} ms)",
            f"{own.stretch.p99:.1f} ms, {own.stretch.p99 / floor.stretch.p99:.2f} ×",
            own.stretch.p99 <= 2 * floor.stretch.p99,
        ),
        Goal(
            f"p99 delivery latency, {same}",
            f"≤ Django Channels ({channels.stretch.p99:.1f} ms)",
            f"{own.stretch.p99:.1f} ms",
            own.stretch.p99 <= channels.stretch.p99,
        ),
        Goal(
            f"server processor time per delivery, {own_busy.rate:g} messages/s",
            f"≤ hack.chat's server ({hack_chat.cost:.1f} µs)",
            f"{own_busy.cost:.1f} µs",
            own_busy.cost <= hack_chat.cost,
        ),
        Goal(
            f"the furthest that any screen is behind, {own_busy.rate:g} messages/s",
            "≤ 250 ms",
            f"{own_busy.stretch.max:.0f} ms",
            own_busy.stretch.max <= 250,
        ),
    ]
    outcome.tables += [_draw(runs), *(table for run in runs for table in run.profile)]
    return outcome


def _draw(runs: list[Run]) -> Table:
    rows = [
        [
            run.party.name,
            f"{run.screens} × {run.rate:g}",
            f"{run.stretch.deliveries / run.stretch.expected:.1%}",
            f"{run.cost:.1f}",
            f"{run.load:.2f}",
            f"{run.stretch.p50:.1f}",
            f"{run.stretch.p99:.1f}",
            f"{run.stretch.max:.0f}",
            f"{run.stretch.share:.2f}",
        ]
        for run in runs
    ]
    head = ["server", "screens × messages/s", "arrived", "µs per delivery", "processors taken"]
    head += ["p50 ms", "p99 ms", "worst ms", "processors taken by the load"]
    return Table(
        "One room, many screens",
        head,
        rows,
        "anonchat encrypts each message and writes it to disk before it delivers it; its screens "
        "report what was read, as browsers do. The others keep nothing. The two ways of NiceGUI "
        "are given a rate and a number of screens that they keep up with.",
    )
