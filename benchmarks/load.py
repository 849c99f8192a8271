"""Controls the load generator, a Node process (see load/main.js)."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.json_process import JsonProcess

_MAIN = Path(__file__).parent / "load" / "main.js"


@dataclass(frozen=True, slots=True)
class TalkResult:
    """Deliveries and latencies of an interval of conversation; times in milliseconds.

    Deliveries that are missing at the end count with the timeout as their latency.
    """

    posted: int
    deliveries: int
    missing: int
    doubled: int
    p50: float
    p99: float
    max: float
    seconds: float
    share: float
    lag: float

    @property
    def expected(self) -> int:
        """The number of expected deliveries."""
        return self.deliveries + self.missing


class Load:
    """Simulated screens in a Node process that runs during the block."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("the load generator needs node")
        self._process = JsonProcess("the load generator", node, _MAIN)

    async def __aenter__(self) -> Self:
        await self._process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.kill()

    async def open(
        self, kind: str, origin: str, specs: list[dict[str, str]], *, at_once: int = 4
    ) -> None:
        """Open a screen for each spec (room, token or nickname); wait until all show their room."""
        await self._process.call("open", kind=kind, origin=origin, specs=specs, atOnce=at_once)

    async def talk(
        self, *, rate: float, seconds: float, speakers: int, start: int = 0, filler: str = ""
    ) -> TalkResult:
        """Post by `speakers` screens in turn; the screens before `start` take no part."""
        parameters = {
            "rate": rate,
            "seconds": seconds,
            "speakers": speakers,
            "from": start,
            "filler": filler,
        }
        result = TalkResult(**await self._process.call("talk", **parameters))
        if result.doubled or not result.deliveries:
            raise RuntimeError(f"duplicate or no deliveries: {result}")
        return result

    async def start_flood(self, *, rate: float) -> None:
        """Let the first screen post at a rate per second until `stop_flood`."""
        await self._process.call("start_flood", rate=rate)

    async def stop_flood(self) -> None:
        """Stop the flood."""
        await self._process.call("stop_flood")

    async def stall(self, count: int) -> None:
        """Let the last `count` screens stop reading their sockets."""
        await self._process.call("stall", count=count)

    async def recover(self, *, max_seconds: float) -> dict[str, Any]:
        """Let them read again, and reconnect if they were disconnected."""
        return await self._process.call("recover", maxSeconds=max_seconds)
