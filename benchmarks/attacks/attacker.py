"""Controls the attacker process (see process.py)."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.attacks.scene import Scene
from tools.servers.process import ROOT

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
        """Restart the process after an error; this closes its connections."""
        await self.__aexit__()
        await self._start()

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.attacks.process",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def prepare(self, way: str, scene: Scene, *, within_limits: bool = False) -> None:
        """Open the pages and connections that the attack needs."""
        parameters = {"way": way, "scene": scene.to_json(), "within_limits": within_limits}
        await self._call("prepare", **parameters)

    async def begin(self, *, acts: int = _UNBOUNDED) -> None:
        """Attack in the background until `end`, or until the number of acts is done."""
        await self._call("begin", acts=acts)

    async def finish(self) -> None:
        """Wait until all acts are done."""
        await self._call("finish")

    async def end(self) -> AttackCounts:
        """Stop, close all connections, and return the counts."""
        return AttackCounts(**await self._call("end"))

    async def _call(self, verb: str, **parameters: object) -> dict[str, Any]:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"verb": verb, **parameters}).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the attacker process has exited")
        response: dict[str, Any] = json.loads(line)
        if "error" in response:
            raise RuntimeError(f"{verb}: {response['error']}")
        return response
