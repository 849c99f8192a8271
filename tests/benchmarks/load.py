"""The load generator, a process of its own (see load/main.js)."""

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_MAIN = Path(__file__).parent / "load" / "main.js"
_LONGEST_LINE = 2**26


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch of conversation looked like to those who listened; times in milliseconds.

    What was still missing at the end counts in the times as just arriving.
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
        """How many deliveries there should have been."""
        return self.deliveries + self.missing


class Load:
    """Fake screens in a Node process, from entering the block to leaving it."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("the load generator needs node")
        self._process = await asyncio.create_subprocess_exec(
            node,
            _MAIN,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def open(
        self, kind: str, origin: str, seats: list[dict[str, str]], *, at_once: int = 4
    ) -> None:
        """Open a screen for each seat, and wait until all show their room."""
        await self._ask("open", kind=kind, origin=origin, seats=seats, atOnce=at_once)

    async def talk(
        self, *, rate: float, seconds: float, by: int, start: int = 0, filler: str = ""
    ) -> Stretch:
        """Let so many screens talk in turn, all from `start` on listening."""
        wishes = {"rate": rate, "seconds": seconds, "by": by, "from": start, "filler": filler}
        stretch = Stretch(**await self._ask("talk", **wishes))
        if stretch.doubled or not stretch.deliveries:
            raise RuntimeError(f"that is no conversation: {stretch}")
        return stretch

    async def flood(self, *, rate: float) -> None:
        """Let the first screen post so many messages a second from now on."""
        await self._ask("flood", rate=rate)

    async def calm(self) -> None:
        """Let it stop."""
        await self._ask("calm")

    async def stall(self, count: int) -> None:
        """Let so many screens read nothing from now on."""
        await self._ask("stall", count=count)

    async def recover(self, *, patience: float) -> dict[str, Any]:
        """Let them read on, and come back if they were dropped."""
        return await self._ask("recover", patience=patience)

    async def _ask(self, verb: str, **wishes: object) -> dict[str, Any]:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"verb": verb, **wishes}).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer
