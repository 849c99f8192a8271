"""The servers under test: anonchat, and the programs that it is compared with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes import UNLIMITED
from tools.servers.node import Node
from tools.servers.process import ROOT, ManagedProcess
from tools.servers.request import is_listening

_HIGH_LIMITS = {"sockets_per_ip_max": "100000", "unconnected_pages_max": "100000"}


class Peer(ManagedProcess):
    """Another program, which listens on the port that its command line contains as `{port}`."""

    def __init__(self, *command: str | Path, folder: Path) -> None:
        super().__init__("peer", folder)
        self._command = [str(part).replace("{port}", str(self.port)) for part in command]

    def command(self) -> Sequence[str]:
        """Return the command line."""
        return self._command

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables."""
        return {**super().environment(), "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}

    async def is_ready(self) -> bool:
        """Return whether it listens."""
        return await is_listening(self.port)


def anonchat(data: Path, **settings: str) -> Node:
    """Return an anonchat server with that data folder, without rate limits."""
    return limited_anonchat(data, **(UNLIMITED | _HIGH_LIMITS | settings))


def limited_anonchat(data: Path, **settings: str) -> Node:
    """Return an anonchat server with that data folder, named `data`, and the default limits."""
    return Node("server", data.parent, settings)
