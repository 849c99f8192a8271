"""What MDN's HTTP Observatory says of a site that is set up as the documents say."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.program import Program
from tests.browser.house import PATIENCE, House, free_port
from tests.browser.person import Person
from tests.browser.world import open_wardrobe
from tests.observatory.proxy import secured

_HERE = Path(__file__).parent
_OBSERVATORY = _HERE / "node_modules" / "@mdn" / "mdn-http-observatory"


class Site:
    """A house behind https."""

    def __init__(self, address: str, authority: Path) -> None:
        self.address = address
        self.authority = authority

    async def scan(self) -> dict[str, Any]:
        """Let the Observatory look at it."""
        assert _OBSERVATORY.exists(), f"npm ci is needed in {_HERE}; make test does it"
        # It would fetch this list from the net when it is installed; we are not in it.
        (_OBSERVATORY / "conf" / "hsts-preload.json").write_text("{}")
        scan = await asyncio.create_subprocess_exec(
            "node",
            _OBSERVATORY / "src" / "scan.js",
            self.address.partition("://")[2],
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(self.authority)},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            said, _ = await scan.communicate()
        report: dict[str, Any] = json.loads(said)
        return report


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    port = free_port()
    address = f"https://localhost:{port}"
    house = House(tmp_path, base_url=address, trusted_proxies="127.0.0.1")
    await house.start()
    async with secured(house, port, tmp_path) as authority:
        yield Site(address, authority)
    await house.stop()


async def test_the_observatory_finds_little_to_complain_of(site: Site) -> None:
    report = await site.scan()
    assert "tests" in report, report
    marks = {name: test["scoreModifier"] for name, test in report["tests"].items()}
    assert report["scan"]["grade"] == "A+", marks
    assert report["scan"]["score"] >= 110, marks


async def test_one_comes_in_and_talks_over_https(site: Site) -> None:
    async with open_wardrobe("--ignore-certificate-errors") as wardrobe:
        context = await wardrobe.take(locale="en-GB")
        ann = Person("Ann", site.address, context, await context.new_page())
        ann.watch()
        await ann.comes_in()
        (cookie,) = await context.cookies()
        assert cookie["name"] == "__Host-anonchat"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        await ann.opens("night train")
        await ann.is_connected()
        await ann.says("is anybody there?")
        assert await ann.page.evaluate("window.socket.io.engine.transport.name") == "websocket"
        await ann.asks_to_be_forgotten()
        await ann.is_at("/login")
        assert await context.cookies() == []
        assert ann.complaints == []


async def test_programs_come_in_over_https(site: Site) -> None:
    async with httpx.AsyncClient(
        base_url=f"{site.address}/api/v1",
        verify=ssl.create_default_context(cafile=site.authority),
        timeout=PATIENCE,
    ) as http:
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        assert await Program(http, visitor["token"]).open("night train")
        answer = await http.get("/docs")
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
