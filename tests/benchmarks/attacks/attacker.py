"""The attacker, a process of its own (see process.py)."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any, Self

from tests.benchmarks.attacks.scene import Scene
from tests.benchmarks.server import ROOT

_UNBOUNDED = 10**9  # the process has a bound of its own


@dataclass(frozen=True, slots=True)
class Tally:
    """How often it was done, refused, and never answered; why it was refused last."""

    done: int
    refused: int
    unanswered: int
    last_refusal: str


class Attacker:
    """A process that attacks, from entering the block to leaving it."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def restart(self) -> None:
        """Begin anew after an error: whatever was open is closed."""
        await self.__aexit__()
        await self._start()

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.benchmarks.attacks.process",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def prepare(self, way: str, scene: Scene, *, within_limits: bool = False) -> None:
        """Open what the attack needs."""
        wishes = {"way": way, "scene": scene.to_json(), "within_limits": within_limits}
        await self._ask("prepare", **wishes)

    async def begin(self, *, acts: int = _UNBOUNDED) -> None:
        """Attack in the background until told to end, or so often."""
        await self._ask("begin", acts=acts)

    async def finish(self) -> None:
        """Wait until it was done so often."""
        await self._ask("finish")

    async def end(self) -> Tally:
        """Stop, and close everything."""
        return Tally(**await self._ask("end"))

    async def _ask(self, verb: str, **wishes: object) -> dict[str, Any]:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"verb": verb, **wishes}).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the attacker has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{verb}: {answer['error']}")
        return answer
