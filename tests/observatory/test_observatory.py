"""MDN's HTTP Observatory grades a site that is set up as documented."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.api_client import ApiClient
from tests.browser.person import Person
from tests.browser.world import open_context_pool
from tests.observatory.proxy import run_https_proxy
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.ports import free_port

_HERE = Path(__file__).parent
_OBSERVATORY = _HERE / "node_modules" / "@mdn" / "mdn-http-observatory"


class Site:
    """A server behind an HTTPS proxy."""

    def __init__(self, address: str, authority: Path) -> None:
        self.address = address
        self.authority = authority

    async def scan(self) -> dict[str, Any]:
        """Scan the site with the Observatory and return its report."""
        assert _OBSERVATORY.exists(), f"run `npm ci` in {_HERE}, or `make test`"
        # Normally downloaded during installation; localhost is not in the list.
        (_OBSERVATORY / "conf" / "hsts-preload.json").write_text("{}")
        scan = await asyncio.create_subprocess_exec(
            "node",
            _OBSERVATORY / "src" / "scan.js",
            self.address.partition("://")[2],
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(self.authority)},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE):
            output, _ = await scan.communicate()
        report: dict[str, Any] = json.loads(output)
        return report


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    port = free_port()
    address = f"https://localhost:{port}"
    server = ServerProcess(tmp_path, base_url=address, trusted_proxies="127.0.0.1")
    await server.start()
    async with run_https_proxy(server, port, tmp_path) as authority:
        yield Site(address, authority)
    await server.stop()


async def test_observatory_grades_the_site_a_plus(site: Site) -> None:
    report = await site.scan()
    assert "tests" in report, report
    modifiers = {name: test["scoreModifier"] for name, test in report["tests"].items()}
    assert report["scan"]["grade"] == "A+", modifiers
    assert report["scan"]["score"] >= 110, modifiers


async def test_visitor_signs_in_and_posts_over_https(site: Site) -> None:
    async with open_context_pool("--ignore-certificate-errors") as context_pool:
        context = await context_pool.acquire(locale="en-GB")
        ann = Person("Ann", site.address, context, await context.new_page())
        ann.watch()
        await ann.sign_in()
        (cookie,) = await context.cookies()
        assert cookie["name"] == "__Host-anonchat"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        await ann.open_room("night train")
        await ann.expect_connected()
        await ann.post_messages("is anybody there?")
        assert await ann.page.evaluate("window.socket.io.engine.transport.name") == "websocket"
        await ann.forget_me()
        await ann.expect_path("/login")
        assert await context.cookies() == []
        assert ann.errors == []


async def test_api_client_signs_in_over_https(site: Site) -> None:
    async with httpx.AsyncClient(
        base_url=f"{site.address}/api/v1",
        verify=ssl.create_default_context(cafile=site.authority),
        timeout=DEADLINE,
    ) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        assert await ApiClient(http, visitor["token"]).open("night train")
        response = await http.get("/docs")
        assert "max-age=31536000" in response.headers["strict-transport-security"]
