"""Controls the attacker process (see process.py)."""

import sys
from dataclasses import dataclass
from typing import Self

from benchmarks.attacks.scene import Scene
from benchmarks.json_process import JsonProcess

_UNBOUNDED = 10**9  # the process has its own limit


@dataclass(frozen=True, slots=True)
class AttackCounts:
    """Number of acts that succeeded, were refused or timed out, and the last refusal."""

    done: int
    refused: int
    unanswered: int
    last_refusal: str


class Attacker:
    """An attacker process that runs during the block."""

    def __init__(self) -> None:
        command = (sys.executable, "-m", "benchmarks.attacks.process")
        self._process = JsonProcess("the attacker process", *command)

    async def __aenter__(self) -> Self:
        await self._process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.kill()

    async def restart(self) -> None:
        """Restart the process after an error; this closes its connections."""
        await self._process.kill()
        await self._process.start()

    async def prepare(self, way: str, scene: Scene, *, within_limits: bool = False) -> None:
        """Open the pages and connections that the attack needs."""
        parameters = {"way": way, "scene": scene.to_json(), "within_limits": within_limits}
        await self._process.call("prepare", **parameters)

    async def begin(self, *, acts: int = _UNBOUNDED) -> None:
        """Attack in the background until `end`, or until the number of acts is done."""
        await self._process.call("begin", acts=acts)

    async def finish(self) -> None:
        """Wait until all acts are done."""
        await self._process.call("finish")

    async def end(self) -> AttackCounts:
        """Stop, close all connections, and return the counts."""
        return AttackCounts(**await self._process.call("end"))
