"""Requests that other sites make a browser send."""

import httpx
import pytest
from nicegui import Client
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from pages.origins import Origins, tidy_origin
from tests.pages.tab import plug_in

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = "https://chat.localhost"
FOREIGN = [
    "null",
    "",
    "https://evil.example",
    "https://chat.localhost.evil.example",
    "https://evilchat.localhost",
    "https://chat.localhost:444",
    "http://chat.localhost",
    "https://chat.localhost/",
    "https://chat.localhost@evil.example",
    "https://chat.localhost, https://evil.example",
    "chat.localhost",
    "HTTPS://CHAT.LOCALHOST",
    "https://chat.localhost.",
    "file://",
]


class Gate:
    """`Origins` with nothing behind it but a note of what came through."""

    def __init__(self, base_url: str = "") -> None:
        self._passed = False
        self._origins = Origins(self._note, base_url=base_url)  # type: ignore[arg-type]

    async def _note(self, *_: object) -> None:
        self._passed = True

    async def lets(
        self,
        method: str,
        path: str,
        *,
        kind: str = "http",
        scheme: str = "https",
        **headers: str,
    ) -> bool:
        """Tell whether such a request comes through; a refused one must be answered."""
        self._passed = False
        said = []
        scope = {
            "type": kind,
            "method": method,
            "path": path,
            "scheme": scheme,
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
        }
        if kind == "websocket":
            del scope["method"]

        async def send(message: dict[str, object]) -> None:
            said.append((message["type"], message.get("status", message.get("code"))))

        await self._origins(scope, None, send)  # type: ignore[arg-type]
        refusals = [("http.response.start", status) for status in (403, 421)]
        if kind == "websocket":
            refusals = [("websocket.close", 1008)]
        assert self._passed or said[0] in refusals
        return self._passed


@pytest.fixture(params=["", OWN], ids=["as asked", "as told"])
def gate(request: pytest.FixtureRequest) -> Gate:
    return Gate(request.param)


_SOCKET = "/_nicegui_ws/socket.io/"


async def test_our_own_pages_are_welcome(gate: Gate) -> None:
    own = {"host": "chat.localhost", "origin": OWN}
    assert await gate.lets("", _SOCKET, kind="websocket", scheme="wss", **own)
    assert await gate.lets("POST", _SOCKET, **own)
    assert await gate.lets("GET", _SOCKET, **own)
    assert await gate.lets("GET", _SOCKET, host="chat.localhost", sec_fetch_site="same-origin")
    assert await gate.lets("POST", "/session", **own)
    assert await gate.lets("DELETE", "/session", **own)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_other_sites_are_not(gate: Gate, origin: str) -> None:
    foreign = {"host": "chat.localhost", "origin": origin}
    assert not await gate.lets("", _SOCKET, kind="websocket", scheme="wss", **foreign)
    for method, path in (
        ("GET", _SOCKET),
        ("POST", _SOCKET),
        ("POST", "/session"),
        ("DELETE", "/session"),
        ("PUT", "/anything"),
        ("POST", "/api/v1/visitors"),
    ):
        assert not await gate.lets(method, path, **foreign)


async def test_what_a_browser_would_have_named_is_missed(gate: Gate) -> None:
    assert not await gate.lets("", _SOCKET, kind="websocket", scheme="wss", host="chat.localhost")
    for method in ("POST", "DELETE", "PUT", "PATCH", "TRACE", "FOO"):
        assert not await gate.lets(method, "/session", host="chat.localhost")
    assert not await gate.lets("POST", _SOCKET, host="chat.localhost")
    for site in ("cross-site", "same-site", "none"):
        assert not await gate.lets("GET", _SOCKET, host="chat.localhost", sec_fetch_site=site)


async def test_programs_need_name_no_origin(gate: Gate) -> None:
    for method, path in (("POST", "/api/v1/visitors"), ("DELETE", "/api/v1/visitors/me")):
        assert await gate.lets(method, path, host="192.0.2.1:8080")
    assert not await gate.lets(
        "POST", "/api/v1/visitors", host="127.0.0.1", sec_fetch_site="cross-site"
    )
    assert not await gate.lets("POST", "/api/v10", host="192.0.2.1:8080")


async def test_everybody_may_read_a_page(gate: Gate) -> None:
    for origin in FOREIGN:
        assert await gate.lets("GET", "/login", host="chat.localhost", origin=origin)


async def test_a_name_that_leads_here_is_not_ours_if_we_were_told_our_own() -> None:
    rebound = {"host": "evil.example", "origin": "https://evil.example"}
    assert not await Gate(OWN).lets("POST", "/session", **rebound)
    assert not await Gate(OWN).lets("", _SOCKET, kind="websocket", scheme="wss", **rebound)


_LOCAL_HOSTS = [
    "localhost",
    "LocalHost:8080",
    "ann.localhost:8080",
    "127.0.0.1",
    "192.0.2.7:9000",
    "[::1]:8080",
    "[2001:db8::1]",
    "[::ffff:192.0.2.7]:80",
]
_NAMES_OF_OTHERS = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "evil-localhost",
    "evillocalhost",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "127.0.0.1:80:80",
    "127.0.0.1:x",
    "[127.0.0.1]",
    "::1",
    "0x7f.1",
    "2130706433",
    "127.1",
    "[::1",
    "[::1]evil.example",
    "localhost, evil.example",
    " localhost",
    "localhost.",
    "127.0.0.1\n",
    "",
]
_READ_AND_CHANGED = [
    ("GET", "/"),
    ("GET", "/login"),
    ("POST", "/session"),
    ("GET", _SOCKET),
    ("POST", _SOCKET),
    ("GET", "/api/v1/docs"),
    ("POST", "/api/v1/visitors"),
    ("GET", "/assets/theme.css"),
]


@pytest.mark.parametrize("host", _LOCAL_HOSTS)
async def test_localhost_and_addresses_are_own_hosts(host: str) -> None:
    for origin in ({"origin": f"https://{host}".lower()}, {"sec_fetch_site": "same-origin"}):
        for method, path in _READ_AND_CHANGED:
            if "origin" in origin or method == "GET":
                assert await Gate().lets(method, path, host=host, **origin), (method, path)
    own = {"host": host, "origin": f"https://{host}".lower()}
    assert await Gate().lets("", _SOCKET, kind="websocket", scheme="wss", **own)


@pytest.mark.parametrize("host", _NAMES_OF_OTHERS)
async def test_other_names_are_refused_without_base_url(host: str) -> None:
    """Somebody may let a name of their own lead here (DNS rebinding)."""
    for origin in ({"origin": f"https://{host}"}, {"sec_fetch_site": "same-origin"}, {}):
        for method, path in _READ_AND_CHANGED:
            assert not await Gate().lets(method, path, host=host, **origin), (method, path)
        ends = {"kind": "websocket", "scheme": "wss"}
        assert not await Gate().lets("", _SOCKET, host=host, **ends, **origin)
    for method, path in _READ_AND_CHANGED:
        assert not await Gate().lets(method, path)


async def test_health_is_told_under_any_name() -> None:
    for path in ("/healthz", "/readyz"):
        assert await Gate().lets("GET", path, host="anonchat-1.internal:8080")
        assert await Gate().lets("GET", path)


async def test_host_is_not_looked_at_with_base_url() -> None:
    """A proxy may pass any name on; the origin decides."""
    for method, path in _READ_AND_CHANGED:
        assert await Gate(OWN).lets(method, path, host="node-1:8080", origin=OWN)


async def test_refusal_of_a_name_says_what_the_operator_sets(browser: httpx.AsyncClient) -> None:
    for path in ("/", "/nowhere", "/api/v1/rooms", _SOCKET):
        answer = await browser.get(path, headers={"host": "evil.example"})
        assert answer.status_code == 421
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "ANONCHAT_BASE_URL" in answer.text
        assert "evil" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_rebound_name_opens_no_socket(url: str) -> None:
    query = {"EIO": "4", "transport": "polling"}
    async with httpx.AsyncClient(base_url=url) as http:
        rebound = {"host": "evil.example", "origin": "http://evil.example"}
        assert (await http.get(_SOCKET, params=query, headers=rebound)).status_code == 421
        upgrade = {
            "upgrade": "websocket",
            "connection": "upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": "A" * 22 + "==",
        }
        query["transport"] = "websocket"
        answer = await http.get(_SOCKET, params=query, headers={**rebound, **upgrade})
        assert answer.status_code == 403


async def test_what_is_forwarded_by_anybody_changes_nothing(gate: Gate) -> None:
    forwarded = {"x_forwarded_host": "evil.example", "x_forwarded_proto": "https"}
    evil = {"host": "chat.localhost", "origin": "https://evil.example", **forwarded}
    assert not await gate.lets("POST", "/session", **evil)
    if gate._origins._base == "":
        plain = {"host": "chat.localhost", "origin": OWN, "x_forwarded_proto": "https"}
        assert not await gate.lets("POST", "/session", scheme="http", **plain)


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Chat.LocalHost:443", "https://chat.localhost"),
        ("http://chat.localhost:80", "http://chat.localhost"),
        ("http://chat.localhost:443", "http://chat.localhost:443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("", ""),
        ("http://", ""),
    ],
)
async def test_an_origin_is_written_as_browsers_write_it(address: str, origin: str) -> None:
    assert tidy_origin(address) == origin


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:1"])
async def test_a_foreign_socket_comes_no_further_than_the_door(
    url: str, origin: str | None
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await plug_in(url, origin=origin)
    assert refusal.value.response.status_code == 403
    assert refusal.value.response.headers["x-frame-options"] == "DENY"


async def test_two_origins_are_none(url: str) -> None:
    address = f"{url.replace('http', 'ws', 1)}{_SOCKET}?EIO=4&transport=websocket"
    more = {"Origin": "https://evil.example"}
    with pytest.raises(InvalidStatus) as refusal:
        await connect(address, origin=Origin(url), additional_headers=more, proxy=None)
    assert refusal.value.response.status_code in (400, 403)


async def test_who_is_refused_costs_us_no_page(browser: httpx.AsyncClient) -> None:
    before = len(Client.instances)
    for path in ("/", "/session", "/nowhere"):
        answer = await browser.post(path, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403
        assert answer.json()["status"] == 403
    assert len(Client.instances) == before


async def test_nobody_is_told_that_other_sites_may_read(browser: httpx.AsyncClient) -> None:
    for path in ("/login", "/api/v1/rooms", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"):
        for method in ("GET", "OPTIONS"):
            answer = await browser.request(
                method, path, headers={"origin": "http://chat.localhost"}
            )
            assert not [name for name in answer.headers if name.startswith("access-control")]
