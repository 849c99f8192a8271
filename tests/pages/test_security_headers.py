"""Security and cache headers of responses."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from nicegui import Client, __version__
from starlette.types import Message, Receive, Scope, Send

from anonchat import Chat
from pages.http.security_headers import SecurityHeadersMiddleware

pytestmark = pytest.mark.asyncio(loop_scope="session")

_STATIC = f"/_nicegui/{__version__}/static/nicegui.js"
_SCRIPT = re.compile(r"<script\b[^>]*>")
_REQUESTS = [
    ("GET", "/login", 200),
    ("GET", "/privacy", 200),
    ("GET", "/", 303),
    ("GET", "/r/night-train", 303),
    ("GET", "/nowhere", 404),
    ("GET", "/broken", 500),
    ("GET", "/very-broken", 500),
    ("POST", "/login", 405),
    ("POST", "/session", 422),
    ("GET", "/session", 401),
    ("DELETE", "/session", 204),
    ("GET", "/healthz", 200),
    ("GET", "/favicon.ico", 200),
    ("GET", _STATIC, 200),
    ("GET", "/_nicegui/x/static/none.js", 404),
    ("GET", "/assets/theme.css", 200),
    ("GET", "/api/v1", 404),
    ("GET", "/api/v1/", 404),
    ("GET", "/api/v1/docs", 200),
    ("GET", "/api/v1/openapi.json", 200),
    ("GET", "/api/v1/rooms", 401),
    ("GET", "/_nicegui_ws/socket.io/?EIO=4&transport=polling", 200),
    ("GET", "/_nicegui_ws/socket.io/?EIO=3", 400),
    ("POST", "/_nicegui_ws/socket.io/?EIO=4&transport=polling&sid=x", 400),
    ("HEAD", "/healthz", 200),
    ("GET", "/readyz", 200),
    ("GET", "/assets/none.css", 404),
    ("POST", "/assets/theme.css", 405),
    ("PATCH", "/api/v1/rooms", 405),
    ("POST", "/api/v1/visitors", 422),
    ("GET", "/api/v1/problems/nothing", 404),
    ("GET", "/api/v1/problems/not-found", 303),
]
_ASSETS = {"/favicon.ico", _STATIC, "/assets/theme.css"}


@pytest.mark.parametrize(("method", "path", "status"), _REQUESTS)
async def test_every_response_has_the_security_headers(
    browser: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await browser.request(method, path, headers={"origin": "http://chat.localhost"})
    assert response.status_code == status
    _check_headers(response)
    if path not in _ASSETS:
        assert response.headers["cache-control"] == "no-store"


async def test_response_to_an_oversized_body_has_the_security_headers(
    browser: httpx.AsyncClient,
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1_000

    for path in ("/session", "/api/v1/visitors"):
        response = await browser.post(
            path, content=chunks(), headers={"origin": "http://chat.localhost"}
        )
        assert response.status_code == 413
        _check_headers(response)


def _expected_base(response: httpx.Response) -> str:
    is_html = response.headers.get("content-type", "").startswith("text/html")
    is_page = is_html and not response.request.url.path.startswith("/api/")
    return "'self'" if is_page else "'none'"


def _check_headers(response: httpx.Response) -> None:
    headers = response.headers
    for name in headers:
        assert len(headers.get_list(name)) == 1 or name == "set-cookie", name
    policy = _read_policy(response)
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == [_expected_base(response)]
    assert "form-action" in policy
    assert "'unsafe-inline'" not in policy.get("script-src", [])
    assert "*" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "strict-transport-security" not in headers
    for name in ("server", "x-powered-by"):
        assert name not in headers
    assert "xyzzy-plugh" not in response.text


def _read_policy(response: httpx.Response) -> dict[str, list[str]]:
    directives = response.headers["content-security-policy"].split(";")
    return {name: values for name, *values in (each.split() for each in directives)}


async def test_assets_are_cacheable(browser: httpx.AsyncClient) -> None:
    for path, directive in ((_STATIC, "immutable"), ("/assets/theme.css", "max-age=31536000")):
        asset = await browser.get(path)
        assert directive in asset.headers["cache-control"]
        cached = await browser.get(path, headers={"if-none-match": asset.headers["etag"]})
        assert (cached.status_code, directive in cached.headers["cache-control"]) == (304, True)


@pytest.mark.parametrize("origin", ["http://chat.localhost", "http://evil.example"])
async def test_responses_to_refused_and_oversized_requests_are_not_cached(
    browser: httpx.AsyncClient, origin: str
) -> None:
    for path in ("/session", "/api/v1/visitors", "/_nicegui_ws/socket.io/?EIO=4"):
        for content in (b"", b" " * 70_000):
            response = await browser.post(path, content=content, headers={"origin": origin})
            assert response.status_code in (400, 403, 413, 422)
            assert response.headers["cache-control"] == "no-store"


async def test_response_with_cookie_is_not_cached(browser: httpx.AsyncClient) -> None:
    own, form = {"origin": "http://chat.localhost"}, {"nickname": "Cookie Monster"}
    for method in ("POST", "DELETE"):
        response = await browser.request(method, "/session", json=form, headers=own)
        assert "set-cookie" in response.headers
        assert response.headers["cache-control"] == "no-store"


async def test_polling_responses_and_event_streams_are_not_cached(url: str, chat: Chat) -> None:
    visitor, token = await chat.identity.sign_in("Reader of streams")
    room = await chat.rooms.open("streams", visitor_id=visitor.id)
    await chat.memberships.join(room.id, visitor_id=visitor.id)
    async with httpx.AsyncClient(base_url=url) as http:
        query = {"EIO": "4", "transport": "polling"}
        response = await http.get("/_nicegui_ws/socket.io/", params=query)
        assert response.headers["cache-control"] == "no-store"
        headers = {"authorization": f"Bearer {token}"}
        events = f"/api/v1/rooms/{room.slug}/events"
        async with http.stream("GET", events, headers=headers) as stream:
            assert stream.status_code == 200
            assert stream.headers["cache-control"] == "no-store"
    assert (await _send_invalid_request(url)).count(b"cache-control: no-store") == 1


async def _send_invalid_request(url: str) -> bytes:
    """Send an invalid HTTP request and return the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b"what?\r\n\r\n")
    response = await reader.read()
    writer.close()
    return response


async def test_non_page_response_allows_no_scripts(browser: httpx.AsyncClient) -> None:
    for path in ("/healthz", _STATIC, "/favicon.ico", "/api/v1/openapi.json"):
        assert "script-src" not in _read_policy(await browser.get(path))


async def test_scripts_of_a_page_carry_its_unique_nonce(
    browser: httpx.AsyncClient,
) -> None:
    nonces = set()
    for path in ("/login", "/privacy", "/login"):
        response = await browser.get(path)
        (nonce,) = re.findall(r"'nonce-([\w-]{20,})'", response.headers["content-security-policy"])
        nonces.add(nonce)
        scripts = _SCRIPT.findall(response.text)
        own = [script for script in scripts if 'type="application/json"' not in script]
        assert len(own) >= 5
        assert all(f'nonce="{nonce}"' in script for script in own)
        assert response.text.count(nonce) == len(own)
    assert len(nonces) == 3


async def test_injected_script_gets_no_nonce(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "shared_body_html", "<script>alert(1)</script>")
    assert "<script>alert(1)</script>" in (await browser.get("/login")).text


async def test_policy_allows_sockets_to_this_site_only(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/login")
    assert _read_policy(response)["connect-src"] == ["'self'", "ws://chat.localhost"]
    for host in ("evil.example; script-src *", "a b", "é", "a,b"):
        response = await browser.get("/login", headers={"host": host.encode("latin-1")})
        assert response.status_code == 421
        _check_headers(response)


@pytest.mark.parametrize(
    ("scheme", "base_url", "is_secure"),
    [
        ("http", "", False),
        ("https", "", True),
        ("http", "https://chat.localhost", True),
        ("http", "http://chat.localhost", False),
    ],
)
async def test_hsts_is_sent_only_over_https(scheme: str, base_url: str, is_secure: bool) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/",
        "scheme": scheme,
        "headers": [(b"host", b"chat.localhost")],
    }
    await SecurityHeadersMiddleware(app, base_url=base_url)(scope, None, send)  # type: ignore[arg-type]
    headers = dict(sent[0]["headers"])
    assert (b"strict-transport-security" in headers) == is_secure


async def test_responses_over_tcp_have_the_security_headers(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        response = await http.get("/login")
        _check_headers(response)
        missing = await http.get("/nowhere")
        _check_headers(missing)


@pytest.mark.parametrize(
    "invalid_headers", [{"sec-websocket-key"}, {"sec-websocket-version"}, {"connection"}], ids=repr
)
async def test_failed_websocket_upgrade_has_the_security_headers(
    url: str, invalid_headers: set[str]
) -> None:
    headers = {
        "host": url.removeprefix("http://"),
        "origin": url,
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "A" * 22 + "==",
    }
    invalid = {**headers, **dict.fromkeys(invalid_headers, "x")}
    async with httpx.AsyncClient(base_url=url) as http:
        path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        response = await http.get(path, headers=invalid)
    assert 400 <= response.status_code < 500
    assert "Sec-WebSocket" not in response.text
    assert response.headers["cache-control"] == "no-store"
    _check_headers(response)
