"""Readers that stop reading: what is kept for them, what the others notice, how they come back."""

import asyncio
from pathlib import Path

from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load, Stretch
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.server import Server, anonchat
from tests.benchmarks.town import founding

_SCREENS = 40
_STALLED = 8
_RATE = 40
_FILLER = "🦉" * 3_900  # 16 kB in each message, so that what waits is seen in the memory
_SETTLE_SECONDS = 4.0
_CALM_SECONDS = 6.0
_SECONDS = 20.0
_PATIENCE = 15.0


async def measure(lab: Lab) -> Outcome:
    """Talk with everybody reading, then with some who do not, and let those come back."""
    screens, stalled = lab.sized(_SCREENS, least=6), lab.sized(_STALLED, least=2)
    async with founding(lab.folder / "data") as town:
        guests = await town.come_in(screens)
        (room,) = await town.open_rooms(1)
        await town.join([(room, guest) for guest in guests])
    seats = [{"room": town.name(room.id), "token": guest.token} for guest in guests]
    by = min(10, screens - stalled)
    async with anonchat(lab.folder / "data") as server, Load() as load:

        async def talk(seconds: float) -> Stretch:
            return await load.talk(rate=_RATE, seconds=seconds, by=by, filler=_FILLER)

        await load.open("anonchat", server.url, seats)
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        await talk(lab.lasting(_CALM_SECONDS))
        calm = await talk(lab.lasting(_CALM_SECONDS))
        await load.stall(stalled)
        watch = _Watch(server)
        beside = await talk(lab.lasting(_SECONDS))
        watch.stop()
        found = await load.recover(patience=_PATIENCE)
    kept = watch.memory / stalled / 1e6
    dropped, resynced = found["dropped"], found["resynced"]
    return Outcome(
        goals=[
            Goal(
                "a reader that stops reading: kept for it",
                "≤ 1 MB",
                f"{kept:.1f} MB",
                kept <= 1,
            ),
            Goal(
                "a reader that stops reading: dropped, and later resynced",
                "all",
                f"{dropped} and {resynced} of {stalled}",
                dropped == resynced == stalled,
            ),
            Goal(
                "a reader that stops reading: the others' p99",
                f"≤ 1.2 × calm ({calm.p99:.0f} ms)",
                f"{beside.p99:.0f} ms, {beside.p99 / calm.p99:.2f} ×",
                beside.p99 <= 1.2 * calm.p99,
            ),
        ],
        tables=[
            Table(
                "Readers that stop reading",
                [
                    "screens",
                    "of them stalled",
                    "written for each",
                    "kept by the process for each",
                    "waiting in the kernel for each",
                    "p99 ms calm",
                    "p99 ms beside them",
                ],
                [
                    [
                        f"{screens}",
                        f"{stalled}",
                        f"{beside.posted * len(_FILLER.encode()) / 1e6:.1f} MB",
                        f"{kept:.2f} MB",
                        f"{watch.in_kernel / stalled / 1e6:.2f} MB",
                        f"{calm.p99:.0f}",
                        f"{beside.p99:.0f}",
                    ]
                ],
                "Kept is all that the process grew by while they did not read, shared among them. "
                f"Every message has 16 kB, and {_RATE} of them are posted a second.",
            )
        ],
    )


class _Watch:
    """Sees how much the server holds at most, beyond what it held at first."""

    def __init__(self, server: Server) -> None:
        self.memory = 0
        self.in_kernel = 0
        self._server = server
        self._first = server.memory()
        self._task = asyncio.create_task(self._look())

    def stop(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            self.memory = max(self.memory, self._server.memory() - self._first)
            self.in_kernel = max(self.in_kernel, _unsent(self._server.port))
            await asyncio.sleep(0.25)


def _unsent(port: int) -> int:
    """Return the bytes that wait in the kernel to be sent from that port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    own = [line for line in lines if line[1].endswith(f":{port:04X}")]
    return sum(int(line[4].partition(":")[0], 16) for line in own)
