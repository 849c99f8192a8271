"""A message to many screens in one room: what a delivery costs, and how late it comes."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
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
    """Let all parties do the same, one after the other; one that fails does not stop the others."""
    runs: list[Run] = []
    failures: list[str] = []
    for party in PARTIES:
        try:
            runs += await run_party(lab, party)
        except Exception as error:
            failures.append(f"{party.name}: {error}")
    return Outcome(
        ratios=list(_compare(runs)),
        goals=list(_judge(runs)),
        tables=[_draw(runs), *(table for run in runs for table in run.profile)],
        failure="; ".join(failures),
    )


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


def _find(runs: list[Run], party: Party, rate: float) -> Run | None:
    return next((run for run in runs if run.party is party and run.rate == rate), None)


def _compare(runs: list[Run]) -> Iterator[Ratio]:
    for party in PARTIES:
        for rate in party.rates:
            peer = _find(runs, party, rate)
            own = _find(runs, ANONCHAT, max(rate, _RATE))
            if peer and own and party is not ANONCHAT:
                what = f"processor time per delivery, {own.rate:g} messages/s"
                yield Ratio(what, party.name, peer.cost / own.cost)


def _judge(runs: list[Run]) -> Iterator[Goal]:
    own, own_busy = _find(runs, ANONCHAT, _RATE), _find(runs, ANONCHAT, _BUSY_RATE)
    if own is None or own_busy is None:
        return
    at_ease = f"{own.screens} screens, {own.rate:g} messages/s"
    busy = f"{own_busy.screens} screens, {own_busy.rate:g} messages/s"
    cost, latency = "server processor time per delivery", "p99 delivery latency"
    if channels := _find(runs, _CHANNELS, _RATE):
        yield Goal(
            f"{cost}, {at_ease}",
            f"≤ 0.45 × Django Channels ({channels.cost:.0f} µs)",
            f"{own.cost:.1f} µs, {own.cost / channels.cost:.2f} ×",
            own.cost <= 0.45 * channels.cost,
        )
    if appended := _find(runs, _APPENDED, _APPENDED.rates[0]):
        yield Goal(
            f"{cost}, {at_ease}",
            f"≤ 1/8 of appended `ui.chat_message` ({appended.cost:.0f} µs)",
            f"{own.cost:.1f} µs, 1/{appended.cost / own.cost:.1f}",
            own.cost <= appended.cost / 8,
        )
    if floor := _find(runs, _FLOOR, _RATE):
        yield Goal(
            f"{latency}, {at_ease}",
            f"≤ 2 × bare websockets ({floor.stretch.p99:.1f} ms)",
            f"{own.stretch.p99:.1f} ms, {own.stretch.p99 / floor.stretch.p99:.2f} ×",
            own.stretch.p99 <= 2 * floor.stretch.p99,
            "Before anybody is told, the text is encrypted, written and synced: six journeys to "
            "the thread of the database, which the bare server does not make. Then the last of 300 "
            "screens is written to after all the others.",
        )
    if channels:
        yield Goal(
            f"{latency}, {at_ease}",
            f"≤ Django Channels ({channels.stretch.p99:.1f} ms)",
            f"{own.stretch.p99:.1f} ms",
            own.stretch.p99 <= channels.stretch.p99,
        )
    if hack_chat := _find(runs, _HACK_CHAT, _BUSY_RATE):
        yield Goal(
            f"{cost}, {busy}",
            f"≤ hack.chat's server ({hack_chat.cost:.1f} µs)",
            f"{own_busy.cost:.1f} µs",
            own_busy.cost <= hack_chat.cost,
            "A delivery is one write to a socket; what is above that are posts, which are stored.",
        )
    yield Goal(
        f"the furthest that any screen is behind, {busy}",
        "≤ 250 ms",
        f"{own_busy.stretch.max:.0f} ms",
        own_busy.stretch.max <= 250,
        "Posts share commits and packets: at this rate some wait for two of each, behind the "
        "screens' own words of what was read.",
    )


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
