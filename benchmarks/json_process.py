"""A helper process that answers requests, one JSON line each."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tools.servers.process import ROOT

_MAX_LINE_BYTES = 2**26


class JsonProcess:
    """A process that reads requests from its standard input and writes the answers."""

    def __init__(self, name: str, *command: str | Path) -> None:
        self._name = name
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
        )

    async def kill(self) -> None:
        """Kill it, and wait until it has exited."""
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def call(self, verb: str, **parameters: object) -> dict[str, Any]:
        """Send a request; return the answer, or raise `RuntimeError` with the error in it."""
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"verb": verb, **parameters}).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} has exited")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{verb}: {answer['error']}")
        return answer
