"""Readers that stop reading: memory kept for them, effect on the others, resynchronization."""

import asyncio
from pathlib import Path

from benchmarks.database_seeder import seeding
from benchmarks.lab import Lab
from benchmarks.load import Load, TalkResult
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import anonchat
from tools.servers.process import ManagedProcess

_SCREENS = 40
_STALLED = 8
_RATE = 40
_FILLER = "🦉" * 3_900  # 16 kB per message, so that queued data shows in the memory
_SETTLE_SECONDS = 4.0
_CALM_SECONDS = 6.0
_SECONDS = 20.0
_RECOVERY_SECONDS = 15.0


async def measure(lab: Lab) -> Outcome:
    """Talk while all screens read, then while some are stalled; then let those recover."""
    screens, stalled = lab.scaled(_SCREENS, minimum=6), lab.scaled(_STALLED, minimum=2)
    async with seeding(lab.folder / "data") as seeder:
        guests = await seeder.add_visitors(screens)
        (room,) = await seeder.add_rooms(1)
        await seeder.add_members([(room, guest) for guest in guests])
    specs = [{"room": seeder.room_name(room.id), "token": guest.token} for guest in guests]
    speakers = min(10, screens - stalled)
    async with anonchat(lab.folder / "data") as server, Load() as load:

        async def talk(seconds: float) -> TalkResult:
            return await load.talk(rate=_RATE, seconds=seconds, speakers=speakers, filler=_FILLER)

        await load.open("anonchat", server.url, specs)
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        await talk(lab.scaled_seconds(_CALM_SECONDS))
        calm = await talk(lab.scaled_seconds(_CALM_SECONDS))
        await load.stall(stalled)
        monitor = _MemoryMonitor(server)
        stalled_result = await talk(lab.scaled_seconds(_SECONDS))
        monitor.stop()
        recovered = await load.recover(max_seconds=_RECOVERY_SECONDS)
    kept = monitor.memory / stalled / 1e6
    dropped, resynced = recovered["dropped"], recovered["resynced"]
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
                f"{stalled_result.p99:.0f} ms, {stalled_result.p99 / calm.p99:.2f} ×",
                stalled_result.p99 <= 1.2 * calm.p99,
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
                        f"{stalled_result.posted * len(_FILLER.encode()) / 1e6:.1f} MB",
                        f"{kept:.2f} MB",
                        f"{monitor.in_kernel / stalled / 1e6:.2f} MB",
                        f"{calm.p99:.0f}",
                        f"{stalled_result.p99:.0f}",
                    ]
                ],
                '"Kept" is the growth of the process while they did not read, divided by their '
                f"number. Every message has 16 kB, and {_RATE} are posted per second.",
            )
        ],
    )


class _MemoryMonitor:
    """Records the largest growth of the server's memory and of its unsent kernel buffers."""

    def __init__(self, server: ManagedProcess) -> None:
        self.memory = 0
        self.in_kernel = 0
        self._server = server
        self._initial = server.resident_bytes()
        self._task = asyncio.create_task(self._sample())

    def stop(self) -> None:
        """Stop sampling."""
        self._task.cancel()

    async def _sample(self) -> None:
        while True:
            self.memory = max(self.memory, self._server.resident_bytes() - self._initial)
            self.in_kernel = max(self.in_kernel, _unsent_bytes(self._server.port))
            await asyncio.sleep(0.25)


def _unsent_bytes(port: int) -> int:
    """Return the unsent bytes in the kernel's send buffers of that port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    own = [line for line in lines if line[1].endswith(f":{port:04X}")]
    return sum(int(line[4].partition(":")[0], 16) for line in own)
