"""Cross-origin requests and requests for other hosts."""

import httpx
import pytest
from nicegui import Client
from starlette.responses import Response
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from pages.http.cross_origin import CrossOriginProtectionMiddleware, normalize_origin
from tests.pages.tab import open_websocket

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


class Protection:
    """`CrossOriginProtectionMiddleware` before an application that records that it was called."""

    def __init__(self, base_url: str = "") -> None:
        self._passed = False
        self._origins = CrossOriginProtectionMiddleware(
            self._record,
            base_url=base_url,
            misdirected_page=lambda _request: Response(status_code=421),
        )

    async def _record(self, *_: object) -> None:
        self._passed = True

    async def allows(
        self,
        method: str,
        path: str,
        *,
        kind: str = "http",
        scheme: str = "https",
        **headers: str,
    ) -> bool:
        """Return whether a request is passed on; a refused one must get an error response."""
        self._passed = False
        sent = []
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
            sent.append((message["type"], message.get("status", message.get("code"))))

        await self._origins(scope, None, send)  # type: ignore[arg-type]
        refusals = [("http.response.start", status) for status in (403, 421)]
        if kind == "websocket":
            refusals = [("websocket.close", 1008)]
        assert self._passed or sent[0] in refusals
        return self._passed


@pytest.fixture(params=["", OWN], ids=["without base_url", "with base_url"])
def protection(request: pytest.FixtureRequest) -> Protection:
    return Protection(request.param)


_SOCKET = "/_nicegui_ws/socket.io/"


async def test_same_origin_request_is_allowed(protection: Protection) -> None:
    own = {"host": "chat.localhost", "origin": OWN}
    assert await protection.allows("", _SOCKET, kind="websocket", scheme="wss", **own)
    assert await protection.allows("POST", _SOCKET, **own)
    assert await protection.allows("GET", _SOCKET, **own)
    assert await protection.allows(
        "GET", _SOCKET, host="chat.localhost", sec_fetch_site="same-origin"
    )
    assert await protection.allows("POST", "/session", **own)
    assert await protection.allows("DELETE", "/session", **own)


@pytest.mark.parametrize("origin", FOREIGN)
async def test_cross_origin_request_is_refused(protection: Protection, origin: str) -> None:
    foreign = {"host": "chat.localhost", "origin": origin}
    assert not await protection.allows("", _SOCKET, kind="websocket", scheme="wss", **foreign)
    for method, path in (
        ("GET", _SOCKET),
        ("POST", _SOCKET),
        ("POST", "/session"),
        ("DELETE", "/session"),
        ("PUT", "/anything"),
        ("POST", "/api/v1/visitors"),
    ):
        assert not await protection.allows(method, path, **foreign)


async def test_browser_request_without_origin_is_refused(protection: Protection) -> None:
    assert not await protection.allows(
        "", _SOCKET, kind="websocket", scheme="wss", host="chat.localhost"
    )
    for method in ("POST", "DELETE", "PUT", "PATCH", "TRACE", "FOO"):
        assert not await protection.allows(method, "/session", host="chat.localhost")
    assert not await protection.allows("POST", _SOCKET, host="chat.localhost")
    for site in ("cross-site", "same-site", "none"):
        assert not await protection.allows(
            "GET", _SOCKET, host="chat.localhost", sec_fetch_site=site
        )


async def test_api_request_without_origin_is_allowed(protection: Protection) -> None:
    for method, path in (("POST", "/api/v1/visitors"), ("DELETE", "/api/v1/visitors/me")):
        assert await protection.allows(method, path, host="192.0.2.1:8080")
    assert not await protection.allows(
        "POST", "/api/v1/visitors", host="127.0.0.1", sec_fetch_site="cross-site"
    )
    assert not await protection.allows("POST", "/api/v10", host="192.0.2.1:8080")


async def test_webhook_without_origin_is_allowed(protection: Protection) -> None:
    assert await protection.allows("POST", "/plugins/webhook/x", host="192.0.2.1:8080")
    for headers in ({"sec_fetch_site": "cross-site"}, {"origin": "https://evil.example"}):
        assert not await protection.allows(
            "POST", "/plugins/webhook/x", host="127.0.0.1", **headers
        )
    assert not await protection.allows("POST", "/pluginsx", host="192.0.2.1:8080")


async def test_page_can_be_read_from_any_origin(protection: Protection) -> None:
    for origin in FOREIGN:
        assert await protection.allows("GET", "/login", host="chat.localhost", origin=origin)


async def test_other_host_name_is_refused_with_base_url() -> None:
    rebound = {"host": "evil.example", "origin": "https://evil.example"}
    assert not await Protection(OWN).allows("POST", "/session", **rebound)
    assert not await Protection(OWN).allows("", _SOCKET, kind="websocket", scheme="wss", **rebound)


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
_OTHER_HOSTS = [
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
_READS_AND_WRITES = [
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
async def test_localhost_and_ip_addresses_are_own_hosts(host: str) -> None:
    for origin in ({"origin": f"https://{host}".lower()}, {"sec_fetch_site": "same-origin"}):
        for method, path in _READS_AND_WRITES:
            if "origin" in origin or method == "GET":
                assert await Protection().allows(method, path, host=host, **origin), (method, path)
    own = {"host": host, "origin": f"https://{host}".lower()}
    assert await Protection().allows("", _SOCKET, kind="websocket", scheme="wss", **own)


@pytest.mark.parametrize("host", _OTHER_HOSTS)
async def test_other_host_names_are_refused_without_base_url(host: str) -> None:
    """An attacker can point a domain of their own at this server (DNS rebinding)."""
    for origin in ({"origin": f"https://{host}"}, {"sec_fetch_site": "same-origin"}, {}):
        for method, path in _READS_AND_WRITES:
            assert not await Protection().allows(method, path, host=host, **origin), (method, path)
        websocket = {"kind": "websocket", "scheme": "wss"}
        assert not await Protection().allows("", _SOCKET, host=host, **websocket, **origin)
    for method, path in _READS_AND_WRITES:
        assert not await Protection().allows(method, path)


async def test_health_check_is_allowed_under_any_host() -> None:
    for path in ("/healthz", "/readyz"):
        assert await Protection().allows("GET", path, host="anonchat-1.internal:8080")
        assert await Protection().allows("GET", path)


async def test_host_is_not_checked_with_base_url() -> None:
    """A proxy may send any host name, so only the origin is checked."""
    for method, path in _READS_AND_WRITES:
        assert await Protection(OWN).allows(method, path, host="node-1:8080", origin=OWN)


async def test_host_refusal_names_the_setting(browser: httpx.AsyncClient) -> None:
    for path in ("/", "/nowhere", "/api/v1/rooms", _SOCKET):
        response = await browser.get(path, headers={"host": "evil.example"})
        assert response.status_code == 421
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert "ANONCHAT_BASE_URL" in response.text
        assert "evil" not in response.text
        assert response.headers["cache-control"] == "no-store"


async def test_rebound_host_opens_no_socket(url: str) -> None:
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
        response = await http.get(_SOCKET, params=query, headers={**rebound, **upgrade})
        assert response.status_code == 403


async def test_forwarded_headers_do_not_change_the_origin_check(protection: Protection) -> None:
    forwarded = {"x_forwarded_host": "evil.example", "x_forwarded_proto": "https"}
    evil = {"host": "chat.localhost", "origin": "https://evil.example", **forwarded}
    assert not await protection.allows("POST", "/session", **evil)
    if protection._origins._base_origin == "":
        plain = {"host": "chat.localhost", "origin": OWN, "x_forwarded_proto": "https"}
        assert not await protection.allows("POST", "/session", scheme="http", **plain)


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
async def test_origin_is_normalized_as_in_browsers(address: str, origin: str) -> None:
    assert normalize_origin(address) == origin


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:1"])
async def test_cross_origin_socket_is_refused(url: str, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await open_websocket(url, origin=origin)
    assert refusal.value.response.status_code == 403
    assert refusal.value.response.headers["x-frame-options"] == "DENY"


async def test_request_with_two_origins_is_refused(url: str) -> None:
    address = f"{url.replace('http', 'ws', 1)}{_SOCKET}?EIO=4&transport=websocket"
    more = {"Origin": "https://evil.example"}
    with pytest.raises(InvalidStatus) as refusal:
        await connect(address, origin=Origin(url), additional_headers=more, proxy=None)
    assert refusal.value.response.status_code in (400, 403)


async def test_refused_request_creates_no_page(browser: httpx.AsyncClient) -> None:
    before = len(Client.instances)
    for path in ("/", "/session", "/nowhere"):
        response = await browser.post(path, headers={"origin": "https://evil.example"})
        assert response.status_code == 403
        assert response.json()["status"] == 403
    assert len(Client.instances) == before


async def test_response_has_no_cors_headers(browser: httpx.AsyncClient) -> None:
    for path in ("/login", "/api/v1/rooms", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"):
        for method in ("GET", "OPTIONS"):
            response = await browser.request(
                method, path, headers={"origin": "http://chat.localhost"}
            )
            assert not [name for name in response.headers if name.startswith("access-control")]


_IP_ADDRESS = "http://192.0.2.7:8080"


@pytest.mark.parametrize(
    ("base_url", "headers", "expected"),
    [
        (OWN, {"host": "x", "origin": "http://chat.localhost"}, ("http://chat.localhost", OWN)),
        (OWN, {"host": "x", "origin": _IP_ADDRESS}, ("an origin without a host name", OWN)),
        (OWN, {"host": "x", "origin": "https://a b\n"}, ("an origin without a host name", OWN)),
        (
            "",
            {"host": "127.0.0.1:8080", "origin": "https://chat.example"},
            ("https://chat.example",),
        ),
        ("", {"host": "chat.example", "origin": "https://chat.example"}, ("https://chat.example",)),
        ("", {"host": "chat.example"}, ("https://chat.example",)),
    ],
)
async def test_refused_origin_is_logged_with_the_setting_that_decides(
    caplog: pytest.LogCaptureFixture,
    base_url: str,
    headers: dict[str, str],
    expected: tuple[str, ...],
) -> None:
    assert not await Protection(base_url).allows("POST", _SOCKET, **headers)
    (line,) = caplog.messages
    for text in (*expected, "ANONCHAT_BASE_URL"):
        assert text in line
    assert "192.0.2" not in line
    assert "127.0.0.1" not in line
    assert line.isprintable()


async def test_refused_origins_are_logged_by_name_for_the_first_few_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    protection = Protection(OWN)
    for number in range(50):
        origin = f"https://evil-{chr(97 + number % 26) * (1 + number // 26)}.example"
        assert not await protection.allows("POST", _SOCKET, host="x", origin=origin)
    assert len(set(caplog.messages)) == 6
    assert "another origin" in caplog.messages[-1]


async def test_allowed_request_logs_no_origin(
    caplog: pytest.LogCaptureFixture, protection: Protection
) -> None:
    assert await protection.allows("POST", _SOCKET, host="chat.localhost", origin=OWN)
    assert await protection.allows(
        "GET", "/login", host="chat.localhost", origin="https://x.example"
    )
    assert not caplog.messages


@pytest.mark.parametrize(("code", "word"), [("en", "serves"), ("ru", "оператор")])
async def test_host_refusal_is_in_the_language_of_the_browser(
    browser: httpx.AsyncClient, code: str, word: str
) -> None:
    headers = {"host": "evil.example", "accept-language": code}
    response = await browser.get("/login", headers=headers)
    assert response.status_code == 421
    assert word in response.text
    assert "https://chat.example" in response.text
