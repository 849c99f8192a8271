"""A page that is opened at an address whose sockets are refused says why."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, RUSSIAN
from tests.browser.world import BrowserContextPool, World
from tests.servers.server_process import ServerProcess


@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
@pytest.mark.parametrize("base_url", ["https://chat.localhost", ""])
async def test_page_at_a_wrong_address_names_it_and_the_setting(
    context_pool: BrowserContextPool, tmp_path: Path, base_url: str, locale: str
) -> None:
    server = ServerProcess(tmp_path, base_url=base_url, trusted_proxies="127.0.0.1")
    await server.start()
    world = World(server, context_pool)
    # The server takes this for its address unless `base_url` is set, the browser does not.
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"}
    ann = await world.person("Ann", locale=locale, words=RUSSIAN, extra_http_headers=forwarded)
    ann.ignored_errors = CONNECTION_ERRORS
    try:
        await ann.page.goto(f"{server.url}/login")
        status = ann.page.locator(".connection")
        for text in (server.url, "ANONCHAT_BASE_URL", base_url):
            await expect(status).to_contain_text(text)
        await expect(status).to_contain_text("адрес" if locale == "ru-RU" else "address")
        await ann.expect_eventually(lambda: _count_log_lines(server), 1)
        await world.end()
    finally:
        await server.stop()


async def _count_log_lines(server: ServerProcess) -> int:
    lines = [line for line in server.log.splitlines() if "refused" in line]
    assert all("ANONCHAT_BASE_URL" in line and "192.0.2" not in line for line in lines)
    return len(lines)
