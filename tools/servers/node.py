"""An anonchat server."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.servers.process import ROOT, ManagedProcess
from tools.servers.request import is_status_ok


class Node(ManagedProcess):
    """An anonchat process: a site on its own, or a node of one."""

    program = ROOT / "main.py"
    """The Python program that it runs."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(name, folder)
        self.settings = dict(settings)
        self.extra_environment: dict[str, str] = {}
        """Additional environment variables."""

    @property
    def address(self) -> str:
        """Its address, as host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [sys.executable, self.program]

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables, including the settings."""
        settings = {"port": str(self.port), "data_dir": str(self.data), **self.settings}
        return {
            **super().environment(),
            "HOME": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            **self.extra_environment,
            **{f"ANONCHAT_{name.upper()}": value for name, value in settings.items()},
        }

    async def is_ready(self) -> bool:
        """Return whether `/readyz` answers 200."""
        return await is_status_ok(self.port, "/readyz")
