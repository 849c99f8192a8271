"""The operator's name and accent colour appear on every page."""

from pathlib import Path

import httpx

from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE


async def test_name_and_accent_of_the_site_are_on_every_page(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, name="Night & <Train> می‌شود", accent="#0A6B4F")
    await server.start()
    shown = "Night &amp; &lt;Train&gt; می‌شود"
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE) as http:
        pages = {path: (await http.get(path)).text for path in ("/login", "/privacy", "/nowhere")}
        for path, page in pages.items():
            assert f"{shown}</title>" in page, path
            assert "--accent-base: #0a6b4f;" in page, path
            assert "<Train>" not in page, path
        dark = await http.get("/nowhere", headers={"cookie": "theme=dark"})
        assert "color-scheme: dark;" in dark.text
        assert (await http.get("/api/v1/openapi.json")).json()["info"]["title"] == (
            "Night & <Train> می‌شود"
        )
        assert shown in (await http.get("/api/v1/docs")).text
    await server.stop()
