"""A site below a path: links, redirects, assets, errors, the API and sockets."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import httpx
import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from pages.http.path_prefix import PathPrefixMiddleware, path_prefix
from tests.api.api_client import ApiClient
from tests.pages.tab import open_websocket
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.asyncio(loop_scope="session")

_URLS = re.compile(
    r"""(?:src=|href=|url\(|"[\w./-]+": ?)["'](?!data:)((?:/|\.|assets)[^"'<>\s]*)["']"""
)
_HEADER = {"x-forwarded-prefix": "/chat", "x-forwarded-for": "192.0.2.7"}


class PrefixedSite:
    """A site at `/chat`, as seen by a proxy that keeps or removes the path."""

    def __init__(self, server: ServerProcess, sent_path: str, headers: dict[str, str]) -> None:
        self.server = server
        self.sent_path = sent_path
        self.http = httpx.AsyncClient(base_url=server.url, headers=headers, timeout=DEADLINE)

    async def request(self, path: str, method: str = "GET") -> httpx.Response:
        """Request a path of the site."""
        return await self.http.request(method, f"{self.sent_path}{path}")

    async def follow(self, url: str) -> httpx.Response:
        """Request a URL that a page at `/chat` contains."""
        assert url.startswith("/chat/"), url
        return await self.request(url.removeprefix("/chat"))


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=["path kept", "path removed", "header"]
)
async def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PrefixedSite]:
    folder = tmp_path_factory.mktemp("site")
    is_named_by_header = request.param == "header"
    server = ServerProcess(folder, trusted_proxies="127.0.0.1")
    if not is_named_by_header:
        server.settings["base_url"] = f"{server.url}/chat"
    await server.start()
    headers = _HEADER if is_named_by_header else {"x-forwarded-for": "192.0.2.7"}
    site = PrefixedSite(server, "/chat" if request.param == "path kept" else "", headers)
    async with site.http:
        yield site
    await server.stop()


@pytest.mark.parametrize("path", ["/login", "/privacy", "/nowhere"])
async def test_all_urls_of_a_page_are_below_the_path(site: PrefixedSite, path: str) -> None:
    page = await site.request(path)
    assert '<base href="/chat/">' in page.text
    urls = {urljoin("/chat/", url) for url in _URLS.findall(page.text)}
    assert any("/assets/theme.css" in url for url in urls)
    for url in (url for url in urls if url == "/chat/" or not url.endswith("/")):  # import maps
        assert (await site.follow(url)).status_code in (200, 303), url


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/", 303, "/chat/login"),
        ("/r/night-train?a=b", 303, "/chat/login?next=/r/night-train%3Fa%3Db"),
        ("/login/", 308, "/chat/login"),
        ("/lite/night-train", 303, "/chat/login?next=/lite/night-train"),
        ("/lite/", 308, "/chat/lite"),
        ("/api/v1/problems/not-found", 303, "../docs#not-found"),
    ],
)
async def test_redirect_leads_below_the_path(
    site: PrefixedSite, path: str, status: int, location: str
) -> None:
    response = await site.request(path)
    assert (response.status_code, response.headers["location"]) == (status, location)


async def test_head_request_and_assets_are_answered_below_the_path(site: PrefixedSite) -> None:
    for path in ("/login", "/assets/theme.css", "/favicon.ico", "/healthz"):
        response = await site.request(path, "HEAD")
        assert (response.status_code, response.content) == (200, b""), path
    (script, *_) = re.findall(r'"(/chat/_nicegui/[^"]+\.js)"', (await site.request("/login")).text)
    assert "immutable" in (await site.follow(script)).headers["cache-control"]


async def test_path_without_a_trailing_slash_is_the_lobby(site: PrefixedSite) -> None:
    response = await site.http.get("/chat")
    assert (response.status_code, response.headers["location"]) == (303, "/chat/login")


async def test_api_names_its_address_and_works_below_the_path(site: PrefixedSite) -> None:
    schema = (await site.request("/api/v1/openapi.json")).json()
    assert schema["servers"] == [{"url": "/chat/api/v1"}]
    reference = (await site.request("/api/v1/docs")).text
    assert f"CHAT={site.server.url}/chat/api/v1" in reference
    name = f"ann {site.sent_path or 'x'} {'h' if 'x-forwarded-prefix' in site.http.headers else ''}"
    async with httpx.AsyncClient(
        base_url=f"{site.server.url}{site.sent_path}/api/v1",
        headers=dict(site.http.headers),
        timeout=DEADLINE,
    ) as http:
        api = ApiClient(http)
        api.token = (await api.ask("POST", "/visitors", json={"nickname": name}))["token"]
        await api.open("night train")
        async with api.listen("night-train") as stream:
            await stream.ready()
            await api.say("night-train", "one")
            await stream.until("message", text="one")


async def test_canonical_address_of_a_room_is_below_the_path(site: PrefixedSite) -> None:
    api = f"{site.sent_path}/api/v1"
    created = await site.http.post(f"{api}/visitors", json={"nickname": "Mira"})
    token = created.json().get("token") or ""
    authorization = {"authorization": f"Bearer {token}"}
    await site.http.post(f"{api}/rooms", json={"name": "lounge"}, headers=authorization)
    for path in ("/r/LOUNGE", "/r/lounge/"):
        response = await site.http.get(
            f"{site.sent_path}{path}", headers={"cookie": f"anonchat={token}"}
        )
        assert (response.status_code, response.headers["location"]) == (308, "/chat/r/lounge")


async def test_socket_is_opened_below_the_path(site: PrefixedSite) -> None:
    headers = {name: value for name, value in site.http.headers.items() if name.startswith("x-")}
    url = f"{site.server.url}{site.sent_path}"
    async with open_websocket(url, origin=site.server.url, headers=headers) as socket:
        assert str(await socket.recv()).startswith("0")


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        ("/chat", "/chat"),
        ("/chat/", "/chat"),
        ("/a/b-c_d.e~1", "/a/b-c_d.e~1"),
        ("", ""),
        ("/", ""),
        ("chat", ""),
        ("//evil.example", ""),
        ("/\\evil.example", ""),
        ("https://evil.example", ""),
        ("/a/../b", ""),
        ("/.", ""),
        ('/"onload=x', ""),
        ("/a b", ""),
        ("/a?b", ""),
        ("/a;path=/", ""),
        ("/ä", ""),
    ],
)
async def test_only_a_plain_path_is_a_prefix(value: str, prefix: str) -> None:
    seen = await _pass_through("", [(b"x-forwarded-prefix", value.encode())], "/login")
    assert seen == (prefix, "/login")


async def test_two_prefix_headers_are_ignored() -> None:
    headers = [(b"x-forwarded-prefix", b"/a"), (b"x-forwarded-prefix", b"/b")]
    assert await _pass_through("", headers, "/login") == ("", "/login")


async def test_path_of_the_setting_precedes_the_header() -> None:
    headers = [(b"x-forwarded-prefix", b"/other")]
    assert await _pass_through("/chat", headers, "/login") == ("/chat", "/login")


async def test_only_the_whole_prefix_is_removed() -> None:
    assert await _pass_through("/chat", [], "/chatter") == ("/chat", "/chatter")
    assert await _pass_through("/chat", [], "/chat") == ("/chat", "/")
    assert await _pass_through("/chat", [], "/chat/r/chat/") == ("/chat", "/r/chat/")


async def _pass_through(
    base_path: str, headers: list[tuple[bytes, bytes]], path: str
) -> tuple[str, str]:
    """Return the prefix and the path that the application sees."""
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    scope = {"type": "http", "path": path, "headers": headers}
    await PathPrefixMiddleware(app, base_path=base_path)(scope, None, None)  # type: ignore[arg-type]
    (inner,) = seen
    return path_prefix(inner), inner["path"]
