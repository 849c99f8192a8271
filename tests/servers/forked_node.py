"""An anonchat server that starts in a quarter of the time."""

from tests.servers.fork_server import ForkedProcess
from tools.servers.node import Node


class ForkedNode(Node):
    """A node whose process is a fork of one that has imported all modules already.

    With its own program or environment variables, which imports may read, it is started anew.
    """

    def launch(self) -> None:
        """Start it without waiting."""
        if self.extra_environment or self.program != Node.program:
            super().launch()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.log_path
        self._process = ForkedProcess(self.folder, self.environment(), stdout=log, stderr=log)
