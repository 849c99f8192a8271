"""Forwarded headers: used if sent by trusted proxies, ignored otherwise."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from pages.http.forwarded_headers import ForwardedHeadersMiddleware
from tests.pages.tab import open_websocket
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.slow


@asynccontextmanager
async def _running_server(folder: Path, **settings: str) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(folder, **settings)
    await server.start()
    yield server
    await server.stop()


def _forwarded(number: int) -> dict[str, str]:
    return {"x-forwarded-for": f"192.0.2.{number}", "x-forwarded-proto": "https"}


async def test_forwarded_headers_of_untrusted_clients_are_ignored(tmp_path: Path) -> None:
    async with (
        _running_server(tmp_path, sockets_per_ip_max="2") as server,
        AsyncExitStack() as connections,
    ):
        for number in range(2):
            await connections.enter_async_context(
                open_websocket(server.url, headers=_forwarded(number))
            )
        with pytest.raises(InvalidStatus):
            await open_websocket(server.url, headers=_forwarded(2))
        async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE) as http:
            response = await http.get("/login", headers=_forwarded(0))
            assert "strict-transport-security" not in response.headers
            secure = {"origin": server.url.replace("http", "https"), **_forwarded(0)}
            assert (await http.post("/session", headers=secure)).status_code == 403
            prefixed = {"x-forwarded-prefix": "//evil.example"}
            response = await http.get("/", headers=prefixed)
            assert response.headers["location"] == "/login"


@pytest.mark.parametrize(
    ("trusted", "headers", "expected"),
    [
        ("", _forwarded(7), "outside ANONCHAT_TRUSTED_PROXIES"),
        ("192.0.2.0/24", _forwarded(7), "outside ANONCHAT_TRUSTED_PROXIES"),
        ("127.0.0.1", {}, "sends no X-Forwarded-For"),
        ("127.0.0.0/8", {}, "sends no X-Forwarded-For"),
        ("", {}, ""),
        ("127.0.0.1", _forwarded(7), ""),
    ],
)
async def test_proxy_that_contradicts_the_settings_is_logged_once(
    caplog: pytest.LogCaptureFixture, trusted: str, headers: dict[str, str], expected: str
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return None

    middleware = ForwardedHeadersMiddleware(app, trusted=trusted)
    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    for path in ("/login", "/", "/healthz"):
        scope = {"type": "http", "path": path, "headers": listed, "client": ("127.0.0.1", 1)}
        await middleware({**scope, "scheme": "http"}, None, None)  # type: ignore[arg-type]
    assert len(caplog.messages) == bool(expected)
    assert all(expected in line and "192.0.2" not in line for line in caplog.messages)


async def test_forwarded_headers_of_trusted_proxies_are_used(tmp_path: Path) -> None:
    settings = {"sockets_per_ip_max": "1", "trusted_proxies": "127.0.0.1"}
    async with _running_server(tmp_path, **settings) as server, AsyncExitStack() as connections:
        secure = server.url.replace("http", "https")
        for number in range(3):
            connection = open_websocket(server.url, origin=secure, headers=_forwarded(number))
            await connections.enter_async_context(connection)
        with pytest.raises(InvalidStatus):
            await open_websocket(server.url, origin=secure, headers=_forwarded(2))
        async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE) as http:
            response = await http.get("/login", headers=_forwarded(0))
            assert "strict-transport-security" in response.headers
