"""The orderly end of a server."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

_WAITING_APP = ROOT / "tests" / "operations" / "waiting_app.py"


@pytest.mark.parametrize("path", ["/waiting-page", "/waiting-route"])
async def test_waiting_request_is_refused_when_the_server_stops(tmp_path: Path, path: str) -> None:
    server = ServerProcess(tmp_path, program=_WAITING_APP, environment={"PYTHONPATH": str(ROOT)})
    async with server, httpx.AsyncClient(base_url=server.url, timeout=DEADLINE) as http:
        request = asyncio.create_task(http.get(path))
        async with asyncio.timeout(DEADLINE):
            while not (tmp_path / "waiting").exists():
                assert not request.done()
                await asyncio.sleep(0.05)
        await server.stop()  # raises if the log reports an error
        assert await server.wait_until_exited() == 0
        response = await request
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
