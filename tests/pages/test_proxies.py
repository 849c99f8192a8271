"""What proxies say of those they speak for: believed of the trusted, and of no others."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from pages.forwarded import ForwardedHeaders
from tests.browser.house import PATIENCE, House
from tests.pages.tab import plug_in


@asynccontextmanager
async def _standing(folder: Path, **settings: str) -> AsyncIterator[House]:
    house = House(folder, **settings)
    await house.start()
    yield house
    await house.stop()


def _told(number: int) -> dict[str, str]:
    return {"x-forwarded-for": f"192.0.2.{number}", "x-forwarded-proto": "https"}


async def test_what_a_stranger_forwards_is_not_believed(tmp_path: Path) -> None:
    async with _standing(tmp_path, sockets_per_address_max="2") as house, AsyncExitStack() as lines:
        for number in range(2):
            await lines.enter_async_context(plug_in(house.url, told=_told(number)))
        with pytest.raises(InvalidStatus):
            await plug_in(house.url, told=_told(2))
        async with httpx.AsyncClient(base_url=house.url, timeout=PATIENCE) as http:
            answer = await http.get("/login", headers=_told(0))
            assert "strict-transport-security" not in answer.headers
            secure = {"origin": house.url.replace("http", "https"), **_told(0)}
            assert (await http.post("/session", headers=secure)).status_code == 403
            prefixed = {"x-forwarded-prefix": "//evil.example"}
            answer = await http.get("/", headers=prefixed)
            assert answer.headers["location"] == "/login"


@pytest.mark.parametrize(
    ("trusted", "headers", "words"),
    [
        ("", _told(7), "does not name"),
        ("192.0.2.0/24", _told(7), "does not name"),
        ("127.0.0.1", {}, "sends no X-Forwarded-For"),
        ("127.0.0.0/8", {}, "sends no X-Forwarded-For"),
        ("", {}, ""),
        ("127.0.0.1", _told(7), ""),
    ],
)
async def test_proxy_that_is_not_as_the_settings_say_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, trusted: str, headers: dict[str, str], words: str
) -> None:
    async def answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return None

    middleware = ForwardedHeaders(answer, trusted=trusted)
    listed = [(name.encode(), value.encode()) for name, value in headers.items()]
    for path in ("/login", "/", "/healthz"):
        scope = {"type": "http", "path": path, "headers": listed, "client": ("127.0.0.1", 1)}
        await middleware({**scope, "scheme": "http"}, None, None)  # type: ignore[arg-type]
    assert len(caplog.messages) == bool(words)
    assert all(words in line and "192.0.2" not in line for line in caplog.messages)


async def test_what_a_trusted_proxy_forwards_is(tmp_path: Path) -> None:
    settings = {"sockets_per_address_max": "1", "trusted_proxies": "127.0.0.1"}
    async with _standing(tmp_path, **settings) as house, AsyncExitStack() as lines:
        secure = house.url.replace("http", "https")
        for number in range(3):
            line = plug_in(house.url, origin=secure, told=_told(number))
            await lines.enter_async_context(line)
        with pytest.raises(InvalidStatus):
            await plug_in(house.url, origin=secure, told=_told(2))
        async with httpx.AsyncClient(base_url=house.url, timeout=PATIENCE) as http:
            answer = await http.get("/login", headers=_told(0))
            assert "strict-transport-security" in answer.headers
