"""A server process and its use of processor time and memory."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.fakes import UNLIMITED
from tools.ports import free_port

ROOT = Path(__file__).parents[1]
_TIMEOUT_SECONDS = 120
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A process that listens on a port of this machine during the block."""

    def __init__(self, *command: str | Path, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self._command = [str(part) for part in command]
        self.folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def processor_seconds(self) -> float:
        """Return the processor time of the process in seconds."""
        return _read_processor(self._proc / "stat")

    def main_thread_seconds(self) -> float:
        """Return the processor time of its main thread in seconds."""
        return _read_processor(self._proc / "task" / str(self.pid) / "stat")

    def resident_bytes(self) -> int:
        """Return the resident memory of the process in bytes."""
        status = (self._proc / "status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process
        return self._process.pid

    @property
    def _proc(self) -> Path:
        return Path(f"/proc/{self.pid}")

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if "ANONCHAT" not in name}
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                self._fill_in(self._command),
                cwd=self.folder,
                env=environment | {"PYTHONPATH": str(ROOT)} | self._filled_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        self._process.kill()  # its data are not used again
        await asyncio.to_thread(self._process.wait)

    def _fill_in(self, parts: Sequence[str]) -> list[str]:
        return [part.replace("{port}", str(self.port)) for part in parts]

    def _filled_environment(self) -> dict[str, str]:
        return dict(
            zip(self._environment, self._fill_in([*self._environment.values()]), strict=True)
        )

    async def _wait_until_ready(self) -> None:
        assert self._process
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while True:
                if self._process.poll() is not None:
                    log = (self.folder / "log").read_text()
                    raise RuntimeError(f"{self._command[-1]} did not start: {log[-2000:]}")
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return


def anonchat(data: Path, **settings: str) -> Server:
    """Return an anonchat server with that data folder, without rate limits."""
    high_limits = {"sockets_per_ip_max": "100000", "unconnected_pages_max": "100000"}
    return limited_anonchat(data, **(UNLIMITED | high_limits | settings))


def limited_anonchat(data: Path, **settings: str) -> Server:
    """Return an anonchat server with that data folder and the default limits."""
    return Server(
        sys.executable,
        ROOT / "main.py",
        folder=data.parent,
        ANONCHAT_PORT="{port}",
        ANONCHAT_DATA_DIR=str(data),
        **{f"ANONCHAT_{name.upper()}": value for name, value in settings.items()},
    )


def _read_processor(stat: Path) -> float:
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
