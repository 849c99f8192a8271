"""A server with the plugin of the tests, which fails on purpose."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.plugins.sample import SAMPLE
from tests.servers.server_process import ServerProcess


class PluginServer(ServerProcess):
    """Its log may report errors of the plugin, but no others."""

    @property
    def error_lines(self) -> list[str]:
        """The log lines that report an error that is not the plugin's."""
        return [line for line in super().error_lines if line not in self.plugin_errors]

    @property
    def plugin_errors(self) -> list[str]:
        """The log lines that report an error of the plugin."""
        return [line for line in super().error_lines if "plugin sample:" in line]


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="server_process")
async def serve_plugin(
    tmp_path_factory: pytest.TempPathFactory, port: int
) -> AsyncIterator[PluginServer]:
    """Start a server with the plugin, and without the panel of our own polls."""
    server = PluginServer(tmp_path_factory.mktemp("site"), plugins=f"-polls,{SAMPLE}")
    server.port = port
    await server.start()
    yield server
    await server.stop()
