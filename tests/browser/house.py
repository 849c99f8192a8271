"""A real server: the program as an operator starts it, on a free port, with a folder of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Protocol

import httpx

from tests.fakes import UNLIMITED

ROOT = Path(__file__).parents[2]
PATIENCE = 240  # seconds: a machine that is overloaded needs most of them

_ports = count(os.getpid() % 1_000)
_ALARMS = ("ERROR", "CRITICAL", "Traceback")


class Site(Protocol):
    """What people go to: one server, or many nodes behind one address."""

    @property
    def url(self) -> str:
        """The address that a browser opens."""

    @property
    def port(self) -> int:
        """Where it listens."""


class House:
    """One server process, in which nobody is held back; its port and data outlive a restart."""

    def __init__(
        self,
        folder: Path,
        *,
        program: Path = ROOT / "main.py",
        around: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.folder = folder
        self._program = program
        self._around = around or {}
        self._port = free_port()
        self.settings = UNLIMITED | settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address that a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def data(self) -> Path:
        """The folder of the data."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """Everything the server has said."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    @property
    def alarms(self) -> list[str]:
        """The lines of the log that say that something went wrong."""
        return [line for line in self.log.splitlines() if any(word in line for word in _ALARMS)]

    async def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it begins in a moment
                [sys.executable, str(self._program)],
                cwd=self.folder,
                env={
                    **kept,
                    "HOME": str(self.folder),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONUNBUFFERED": "1",
                    "ANONCHAT_PORT": str(self.port),
                    "ANONCHAT_DATA_DIR": str(self.data),
                    **self._around,
                    **{f"ANONCHAT_{name.upper()}": value for name, value in self.settings.items()},
                },
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as client:
            while not await self._is_answering(client):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End the server as an operator does; it must not have complained of anything."""
        await self._end(signal.SIGTERM)
        assert not self.alarms, f"the server complained:\n{self.log}"

    async def kill(self) -> None:
        """End the server as a power cut does."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    async def _is_answering(self, client: httpx.AsyncClient) -> bool:
        assert self._process
        assert self._process.poll() is None, f"the server did not start:\n{self.log}"
        try:
            return (await client.get(f"{self.url}/healthz")).status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody else is given before it is used.

    The system gives the same to another process, or to a connection; these are below its own, and
    each worker of the tests has a thousand for itself.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in _ports:
        port = 20_000 + worker % 12 * 1_000 + number % 1_000
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("unreachable")
