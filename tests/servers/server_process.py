"""An anonchat server for tests, without rate limits, whose log must not report errors."""

from collections.abc import Mapping
from pathlib import Path
from signal import Signals

from tests.fakes import UNLIMITED
from tests.servers.forked_node import ForkedNode

_ERROR_MARKERS = ("ERROR", "CRITICAL", "Traceback")


class ServerProcess(ForkedNode):
    """One server process without rate limits; its port and data survive a restart."""

    def __init__(
        self,
        folder: Path,
        *,
        program: Path = ForkedNode.program,
        environment: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        super().__init__("server", folder, UNLIMITED | settings)
        self.program = program
        self.extra_environment |= environment or {}

    @property
    def error_lines(self) -> list[str]:
        """The log lines that report an error."""
        return [
            line
            for line in self.log.splitlines()
            if any(marker in line for marker in _ERROR_MARKERS)
        ]

    async def stop(self, stop_signal: Signals | None = None) -> None:
        """Stop the server with SIGTERM; raise `AssertionError` if its log reports an error."""
        await super().stop(stop_signal)
        assert not self.error_lines, f"the server logged errors:\n{self.log}"
