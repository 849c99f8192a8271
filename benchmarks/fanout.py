"""Messages to many screens in one room: processor time and latency of a delivery."""

import asyncio
import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load, TalkResult
from benchmarks.outcome import Goal, Outcome, Ratio, Table
from benchmarks.profile import profiling
from benchmarks.server import Peer, anonchat
from tools.servers.node import Node
from tools.servers.process import ROOT, ManagedProcess

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

ScreenSpecs = list[dict[str, str]]
Prepare = Callable[[Path, int], Awaitable[tuple[ManagedProcess, ScreenSpecs]]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that is measured: with how many screens, at which rates."""

    name: str
    kind: str
    prepare: Prepare
    screens: int = _SCREENS
    rates: tuple[float, ...] = (_RATE,)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one candidate at one rate."""

    candidate: Candidate
    screens: int
    rate: float
    processor: float
    result: TalkResult
    profile: list[Table]

    @property
    def cost(self) -> float:
        """Microseconds of processor time per delivery."""
        return self.processor / self.result.deliveries * 1e6

    @property
    def load(self) -> float:
        """The share of one processor that the server used."""
        return self.processor / self.result.seconds


async def measure(lab: Lab) -> Outcome:
    """Run all candidates one after the other; a failure does not stop the others."""
    runs: list[Run] = []
    failures: list[str] = []
    for candidate in CANDIDATES:
        try:
            runs += await run_candidate(lab, candidate)
        except Exception as error:
            failures.append(f"{candidate.name}: {error}")
    return Outcome(
        ratios=list(_compare(runs)),
        goals=list(_evaluate(runs)),
        tables=[_make_table(runs), *(table for run in runs for table in run.profile)],
        failure="; ".join(failures),
    )


async def run_candidate(lab: Lab, candidate: Candidate) -> list[Run]:
    """Open the screens, then talk at each rate."""
    screens = lab.scaled(candidate.screens, minimum=3)
    folder = lab.folder / candidate.kind / candidate.name.replace(" ", "-").replace("`", "")
    server, specs = await candidate.prepare(folder, screens)
    runs = []
    async with server, Load() as load:
        await load.open(candidate.kind, server.url, specs)
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        speakers = min(_SPEAKERS, screens)
        for rate in candidate.rates:
            seconds = lab.scaled_seconds(_BUSY_SECONDS if rate > _RATE else _SECONDS)
            await load.talk(rate=rate, seconds=lab.scaled_seconds(_WARM_SECONDS), speakers=speakers)
            before = server.processor_seconds()
            result = await load.talk(rate=rate, seconds=seconds, speakers=speakers)
            spent = server.processor_seconds() - before
            profile: list[Table] = []
            if candidate is ANONCHAT:
                async with profiling(server, f"{screens} screens, {rate:g} messages/s") as profile:
                    await load.talk(
                        rate=rate, seconds=lab.scaled_seconds(_PROFILE_SECONDS), speakers=speakers
                    )
            runs.append(Run(candidate, screens, rate, spent, result, profile))
    return runs


async def _prepare_anonchat(folder: Path, screens: int) -> tuple[Node, ScreenSpecs]:
    async with seeding(folder / "data") as seeder:
        guests = await seeder.add_visitors(screens)
        (room,) = await seeder.add_rooms(1)
        await seeder.add_messages([room], guests, 60)
        await seeder.add_members([(room, guest) for guest in guests])
    specs = [{"room": seeder.room_name(room.id), "token": guest.token} for guest in guests]
    return anonchat(folder / "data"), specs


async def _prepare_plain_emit(folder: Path, screens: int) -> tuple[ManagedProcess, ScreenSpecs]:
    server, specs = await _prepare_anonchat(folder, screens)
    server.program = _HERE / "peers" / "plain_emit.py"
    server.extra_environment["PYTHONPATH"] = str(ROOT)
    return server, specs


def _python_peer(module: str) -> Prepare:
    async def prepare(folder: Path, screens: int) -> tuple[ManagedProcess, ScreenSpecs]:
        name = f"{__package__}.peers.{module}"
        return Peer(sys.executable, "-m", name, "{port}", folder=folder), _plain_specs(screens)

    return prepare


async def _prepare_hack_chat(folder: Path, screens: int) -> tuple[ManagedProcess, ScreenSpecs]:
    source = _HERE / "peers" / "hack_chat"
    # a copy, because the server moves the folder at startup
    shutil.copytree(source / "commands", folder / "commands")
    server = Peer(shutil.which("node") or "node", source / "main.js", folder=folder)
    limits = {"halflife": 30_000, "threshold": 1e12}
    config = {"modulesPath": "./commands", "rateLimit": limits, "pulseSpeed": 16_000}
    (folder / ".hcserver.json").write_text(json.dumps({"websocketPort": server.port, **config}))
    return server, _plain_specs(screens)


def _plain_specs(screens: int) -> ScreenSpecs:
    return [{"room": "room", "nickname": f"Guest {number}"} for number in range(screens)]


ANONCHAT = Candidate("anonchat", "anonchat", _prepare_anonchat, rates=(_RATE, _BUSY_RATE))
PLAIN_EMIT = Candidate("anonchat with plain `sio.emit`", "anonchat", _prepare_plain_emit)
_BASELINE = Candidate(
    "bare `websockets.broadcast`", "json", _python_peer("broadcast"), rates=(20, 200)
)
_HACK_CHAT = Candidate("hack.chat's server", "hack_chat", _prepare_hack_chat, rates=(20, 200))
_CHANNELS = Candidate("Django Channels group", "json", _python_peer("django_channels"))
_APPENDED = Candidate(
    "NiceGUI, `ui.chat_message` appended", "nicegui", _python_peer("chat_message"), rates=(2,)
)
_REFRESHED = Candidate(
    "NiceGUI, `ui.refreshable` list",
    "nicegui",
    _python_peer("refreshable"),
    screens=50,
    rates=(1,),
)
CANDIDATES = (ANONCHAT, PLAIN_EMIT, _CHANNELS, _APPENDED, _REFRESHED, _HACK_CHAT, _BASELINE)


def _find(runs: list[Run], candidate: Candidate, rate: float) -> Run | None:
    return next((run for run in runs if run.candidate is candidate and run.rate == rate), None)


def _compare(runs: list[Run]) -> Iterator[Ratio]:
    for candidate in CANDIDATES:
        for rate in candidate.rates:
            peer = _find(runs, candidate, rate)
            own = _find(runs, ANONCHAT, max(rate, _RATE))
            if peer and own and candidate is not ANONCHAT:
                what = f"processor time per delivery, {own.rate:g} messages/s"
                yield Ratio(what, candidate.name, peer.cost / own.cost)


def _evaluate(runs: list[Run]) -> Iterator[Goal]:
    own, own_busy = _find(runs, ANONCHAT, _RATE), _find(runs, ANONCHAT, _BUSY_RATE)
    if own is None or own_busy is None:
        return
    normal = f"{own.screens} screens, {own.rate:g} messages/s"
    busy = f"{own_busy.screens} screens, {own_busy.rate:g} messages/s"
    cost, latency = "server processor time per delivery", "p99 delivery latency"
    if channels := _find(runs, _CHANNELS, _RATE):
        yield Goal(
            f"{cost}, {normal}",
            f"≤ 0.45 × Django Channels ({channels.cost:.0f} µs)",
            f"{own.cost:.1f} µs, {own.cost / channels.cost:.2f} ×",
            own.cost <= 0.45 * channels.cost,
        )
    if appended := _find(runs, _APPENDED, _APPENDED.rates[0]):
        yield Goal(
            f"{cost}, {normal}",
            f"≤ 1/8 of appended `ui.chat_message` ({appended.cost:.0f} µs)",
            f"{own.cost:.1f} µs, 1/{appended.cost / own.cost:.1f}",
            own.cost <= appended.cost / 8,
        )
    if baseline := _find(runs, _BASELINE, _RATE):
        yield Goal(
            f"{latency}, {normal}",
            f"≤ 2 × bare websockets ({baseline.result.p99:.1f} ms)",
            f"{own.result.p99:.1f} ms, {own.result.p99 / baseline.result.p99:.2f} ×",
            own.result.p99 <= 2 * baseline.result.p99,
            "Before delivery, the text is encrypted, written and synced: two round trips to the "
            "database thread, which the bare server does not need. Then the last of 300 screens is "
            "written to after all the others.",
        )
    if channels:
        yield Goal(
            f"{latency}, {normal}",
            f"≤ Django Channels ({channels.result.p99:.1f} ms)",
            f"{own.result.p99:.1f} ms",
            own.result.p99 <= channels.result.p99,
        )
    if hack_chat := _find(runs, _HACK_CHAT, _BUSY_RATE):
        yield Goal(
            f"{cost}, {busy}",
            f"≤ hack.chat's server ({hack_chat.cost:.1f} µs)",
            f"{own_busy.cost:.1f} µs",
            own_busy.cost <= hack_chat.cost,
            "A delivery is one write to a socket; the rest is the cost of storing posts.",
        )
    yield Goal(
        f"the furthest that any screen is behind, {busy}",
        "≤ 250 ms",
        f"{own_busy.result.max:.0f} ms",
        own_busy.result.max <= 250,
        "Posts share commits and packets: at this rate some wait for two of each, behind the "
        "read marks that the screens send.",
    )


def _make_table(runs: list[Run]) -> Table:
    rows = [
        [
            run.candidate.name,
            f"{run.screens} × {run.rate:g}",
            f"{run.result.deliveries / run.result.expected:.1%}",
            f"{run.cost:.1f}",
            f"{run.load:.2f}",
            f"{run.result.p50:.1f}",
            f"{run.result.p99:.1f}",
            f"{run.result.max:.0f}",
            f"{run.result.share:.2f}",
        ]
        for run in runs
    ]
    head = ["server", "screens × messages/s", "arrived", "µs per delivery", "processors taken"]
    head += ["p50 ms", "p99 ms", "worst ms", "processors taken by the load"]
    return Table(
        "One room, many screens",
        head,
        rows,
        "anonchat encrypts each message and writes it to disk before delivery; its screens send "
        "read marks, as browsers do. The others store nothing. The two NiceGUI variants get a rate "
        "and a number of screens that they can sustain.",
    )
