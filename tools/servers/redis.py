"""A Redis or Valkey server."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tools.servers.process import TIMEOUT_SECONDS, ManagedProcess
from tools.servers.programs import find_program
from tools.servers.request import request


class Redis(ManagedProcess):
    """A Redis or Valkey server without persistence, with additional command-line `options`."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__("redis", folder)
        self.options = options

    @property
    def url(self) -> str:
        """Its URL, for the settings."""
        return f"redis://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        program = shutil.which("valkey-server") or find_program("redis-server")
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--dir", self.folder, "--loglevel", "warning",
                *self.options]  # fmt: skip

    async def is_ready(self) -> bool:
        """Return whether it answers."""
        return (await request(self.port, "PING\r\n")).startswith("+PONG")

    async def clear(self) -> None:
        """Delete all data; raise `RuntimeError` if it does not confirm that."""
        answer = await request(self.port, "FLUSHALL\r\n", timeout_seconds=TIMEOUT_SECONDS)
        if not answer.startswith("+OK"):
            raise RuntimeError(f"{self.name} did not delete its data: {answer}")
