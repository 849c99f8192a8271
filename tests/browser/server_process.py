"""A server process, started as in production, with its own port and data folder."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import httpx

from tests.fakes import UNLIMITED
from tools.ports import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 240  # seconds; enough for an overloaded machine

_ERROR_MARKERS = ("ERROR", "CRITICAL", "Traceback")


class Site(Protocol):
    """A site under test: one server, or several nodes behind one address."""

    @property
    def url(self) -> str:
        """The URL that a browser opens."""

    @property
    def port(self) -> int:
        """The port that it listens on."""


class ServerProcess:
    """One server process without rate limits; its port and data survive a restart."""

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
        self._env = around or {}
        self._port = free_port()
        self.settings = UNLIMITED | settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL that a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """The output of the server, of all runs."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    @property
    def error_lines(self) -> list[str]:
        """The log lines that report an error."""
        return [
            line
            for line in self.log.splitlines()
            if any(marker in line for marker in _ERROR_MARKERS)
        ]

    async def start(self) -> None:
        """Start the server and wait until it is healthy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                [sys.executable, str(self._program)],
                cwd=self.folder,
                env={
                    **inherited,
                    "HOME": str(self.folder),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONUNBUFFERED": "1",
                    "ANONCHAT_PORT": str(self.port),
                    "ANONCHAT_DATA_DIR": str(self.data),
                    **self._env,
                    **{f"ANONCHAT_{name.upper()}": value for name, value in self.settings.items()},
                },
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as client:
            while not await self._is_healthy(client):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop the server with SIGTERM; raise `AssertionError` if its log reports an error."""
        await self._terminate(signal.SIGTERM)
        assert not self.error_lines, f"the server logged errors:\n{self.log}"

    async def kill(self) -> None:
        """Stop the server with SIGKILL, as a power failure would."""
        await self._terminate(signal.SIGKILL)

    async def _terminate(self, signal_number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal_number)
        try:
            await asyncio.to_thread(process.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    async def _is_healthy(self, client: httpx.AsyncClient) -> bool:
        assert self._process
        assert self._process.poll() is None, f"the server did not start:\n{self.log}"
        try:
            return (await client.get(f"{self.url}/healthz")).status_code == 200
        except httpx.TransportError:
            return False
