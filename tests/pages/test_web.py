"""HTTP requests to the whole application."""

import asyncio
import json
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from nicegui import Client, app
from starlette.types import Message

from anonchat import Chat
from benchmarks.attacks.catalogue import FORM_ROUTES
from pages import layout
from pages.elements.live_list import LiveList
from pages.http.auth import local_path
from pages.lists import MemberList
from tests.hostile_texts import HOSTILE_TEXTS
from tests.pages.tab import Tab, connect_page, wait_until
from tests.payloads import PAYLOADS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_health_checks_answer(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/healthz")).text == "ok"
    assert (await browser.get("/readyz")).text == "ready"
    for path in ("/healthz", "/readyz"):
        response = await browser.head(path)
        assert (response.status_code, response.text) == (200, "")


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/privacy", "/nowhere", "/r/none", "STYLE", "/favicon.ico", "/healthz"],
)
async def test_head_response_equals_get_without_body(browser: httpx.AsyncClient, path: str) -> None:
    path = path.replace("STYLE", layout.STYLE_SHEET)
    for _ in range(2):  # the second time, from the cache
        get, head = await browser.get(path), await browser.head(path)
        assert head.status_code == get.status_code
        assert head.content == b""
        assert {*head.headers} == {*get.headers}
        for name in ("content-type", "location", "cache-control", "etag"):
            assert head.headers.get(name) == get.headers.get(name)


async def test_every_form_route_is_named_for_floods(web: FastAPI) -> None:
    routes = [*iter_route_contexts(web.routes), *iter_route_contexts(app.routes)]
    methods = {(method, route.path) for route in routes for method in route.methods or ()}
    forms = {each for each in methods if each[0] not in ("GET", "HEAD")}
    assert forms - {("POST", "/plugins/sample/echo")} == FORM_ROUTES  # plugins have their own


async def test_allow_header_lists_head(browser: httpx.AsyncClient) -> None:
    origin = {"origin": "http://chat.localhost"}
    for path in ("/privacy", "/login"):
        assert (await browser.post(path, headers=origin)).headers["allow"] == "GET, HEAD"


async def test_head_of_a_room_is_answered_to_its_member(
    browser: httpx.AsyncClient, url: str
) -> None:
    address = await _create_room(browser, "Heading Hal", "a room to head for")
    async with httpx.AsyncClient(base_url=url, cookies=browser.cookies) as http:
        response = await http.head(address)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"].startswith("text/html")
        assert (await http.head(layout.STYLE_SHEET)).headers["content-length"] > "0"
        assert (await http.get("/healthz")).text == "ok"  # on the same connection


@pytest.mark.parametrize(
    ("path", "login"), [("/", "/login"), ("/r/night-train", "/login?next=/r/night-train")]
)
async def test_anonymous_client_is_redirected_to_login(
    browser: httpx.AsyncClient, path: str, login: str
) -> None:
    response = await browser.get(path)
    assert response.status_code == 303
    assert response.headers["location"] == login


async def test_anonymous_client_cannot_detect_rooms(
    browser: httpx.AsyncClient,
) -> None:
    responses = {(await browser.get(f"/r/{slug}")).status_code for slug in ("a", "b", "%00", "..")}
    assert responses <= {303, 404}


@pytest.mark.parametrize("path", ["/login", "/privacy", "/nowhere", "/r", "/r/a/b"])
@pytest.mark.parametrize("code", ["en", "ru"])
async def test_public_pages_follow_accept_language(
    browser: httpx.AsyncClient, path: str, code: str
) -> None:
    response = await browser.get(path, headers={"accept-language": code})
    assert f'lang="{code}' in response.text
    assert response.status_code == (200 if path in ("/login", "/privacy") else 404)


async def test_login_page_loads_nothing_from_other_sites(browser: httpx.AsyncClient) -> None:
    text = (await browser.get("/login")).text
    for mark in ('src="http', 'href="http', 'src="//', 'href="//', 'url("http', 'url("//'):
        assert mark not in text


@pytest.mark.parametrize("path", ["/broken", "/broken-late", "/very-broken"])
async def test_internal_error_page_contains_no_reason(
    browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    before = set(Client.instances)
    for code, words in (("en", "Something went wrong here."), ("ru", "Что-то пошло не так.")):
        response = await browser.get(path, headers={"accept-language": code})
        assert response.status_code == 500
        assert words in response.text
        assert "xyzzy-plugh" not in response.text
    assert "xyzzy-plugh" in caplog.text
    assert set(Client.instances) <= before


async def test_page_build_timeout_shows_the_error_page(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(Client.instances)
    monkeypatch.setattr(layout, "_BUILD_SECONDS", 0.05)
    response = await browser.get("/slow")
    assert response.status_code == 500
    assert "Something went wrong here." in response.text
    assert "timeout" not in response.text.lower()
    assert set(Client.instances) <= before


async def test_error_responses_keep_no_page(browser: httpx.AsyncClient) -> None:
    await _create_room(browser, "Lost Lou", "a room that is there")
    before = set(Client.instances)
    for method, path, status, words in (
        ("GET", "/nowhere", 404, "По этому адресу ничего нет."),
        ("GET", "/r/there-is-no-such-room", 404, "Комнаты здесь появляются и исчезают."),
        ("GET", "/_nicegui/none", 404, "По этому адресу ничего нет."),
        ("POST", "/privacy", 405, "Здесь так нельзя."),
        ("PUT", "/", 405, "Здесь так нельзя."),
    ):
        headers = {"accept-language": "ru", "origin": "http://chat.localhost"}
        response = await browser.request(method, path, headers=headers)
        assert response.status_code == status
        assert words in response.text
        assert ("allow" in response.headers) == (status == 405)
    assert set(Client.instances) <= before


async def test_api_root_answers_with_problem_documents(
    browser: httpx.AsyncClient,
) -> None:
    for path in ("/api/v1", "/api/v1/", "/api/v1/nothing"):
        response = await browser.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_style_sheet_and_icon_are_served(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/nowhere")).text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    response = await browser.get(address)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert (await browser.get("/favicon.ico")).status_code == 200


async def test_undeclared_paths_are_not_found(browser: httpx.AsyncClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/assets/../main.py", "/.env", "/gallery"):
        assert (await browser.get(path)).status_code == 404


async def _create_room(browser: httpx.AsyncClient, nickname: str, room: str) -> str:
    """Sign in by the API, open a room and return the path of its page."""
    response = await browser.post("/api/v1/visitors", json={"nickname": nickname})
    token = response.json()["token"]
    browser.cookies.set("anonchat", token)
    created = await browser.post(
        "/api/v1/rooms", json={"name": room}, headers={"authorization": f"Bearer {token}"}
    )
    return f"/r/{created.json()['slug']}"


async def _post(browser: httpx.AsyncClient, address: str, text: str) -> None:
    response = await browser.post(
        f"/api/v1/rooms/{address[3:]}/messages",
        json={"text": text},
        headers={"authorization": f"Bearer {browser.cookies['anonchat']}"},
    )
    assert response.status_code == 201


@asynccontextmanager
async def _connect(url: str, page: str) -> AsyncIterator[Tab]:
    """Connect to a page as its browser does, and wait for its initial sync."""
    async with connect_page(url, page) as tab:
        feeds = [
            element for element in tab.client.elements.values() if isinstance(element, LiveList)
        ]
        assert feeds
        await wait_until(lambda: all(feed._first_version is None for feed in feeds))
        await tab.emit("ack", {"client_id": tab.client.id, "next_message_id": 0})
        yield tab


def _requested_sync(tab: Tab) -> bool:
    return any('\\"sync\\"' in frame for frame in tab.received)


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/r/LOUNGE", "/r/lounge"),
        ("/r/lounge/", "/r/lounge"),
        ("/r/Lounge/?a=b%20c", "/r/lounge?a=b%20c"),
        ("/login/", "/login"),
        ("/privacy/?x", "/privacy?x"),
    ],
)
async def test_address_variants_redirect_to_the_canonical_url(
    browser: httpx.AsyncClient, path: str, canonical: str
) -> None:
    await _create_room(browser, f"Spelling {abs(hash(path)) % 10_000}", "lounge")
    response = await browser.get(path, follow_redirects=True)
    locations = [each.headers["location"] for each in response.history]
    assert locations
    if canonical.startswith("/login"):  # redirects signed-in visitors further
        assert locations[0] == canonical
    else:
        assert (locations[-1], response.status_code) == (canonical, 200)


async def test_address_variants_reveal_no_room_to_anonymous_clients(
    browser: httpx.AsyncClient,
) -> None:
    await _create_room(browser, "Spelling Sue", "lounge")
    browser.cookies.clear()
    existing, missing = await browser.get("/r/LOUNGE"), await browser.get("/r/NOWHERE")
    assert existing.headers["location"] == "/login?next=/r/LOUNGE"
    assert missing.headers["location"] == "/login?next=/r/NOWHERE"


async def test_visitor_texts_are_escaped_on_pages(browser: httpx.AsyncClient) -> None:
    address = await _create_room(browser, "</script><u>Ann", "</template></script><b>room")
    await _post(browser, address, "</script><script>alert(1)</script>")
    for path in ("/", address):
        page = (await browser.get(path)).text.lower()
        for markup in ("<u>ann", "<b>room", "<script>alert"):
            assert markup not in page


async def test_hostile_message_does_not_break_the_room_page(browser: httpx.AsyncClient) -> None:
    rendered = 0
    token = {}
    for number, text in enumerate([*HOSTILE_TEXTS.values(), *PAYLOADS[::10]]):
        if not number % 40:  # the rooms per visitor are limited
            await _create_room(browser, f"Taster {number}", f"poison {number}")
            token = {"authorization": f"Bearer {browser.cookies['anonchat']}"}
        created = await browser.post("/api/v1/rooms", json={"name": f"p {number}"}, headers=token)
        address = f"/r/{created.json()['slug']}"
        posted = await browser.post(
            f"/api/v1/rooms/{address[3:]}/messages",
            content=json.dumps({"text": text}),
            headers={**token, "content-type": "application/json"},
        )
        assert posted.status_code in (201, 413, 422)
        page = await browser.get(address)
        assert page.status_code == 200
        rendered += "composer" in page.text and posted.status_code == 201
    assert rendered > 40


async def test_page_tells_how_many_messages_came_and_went_unread(
    browser: httpx.AsyncClient, chat: Chat
) -> None:
    ann, _ = await chat.identity.sign_in("Ann before the rain")
    bob, token = await chat.identity.sign_in("Bob after the rain")
    room = await chat.rooms.open("rain", visitor_id=ann.id)
    await chat.messages.post(room.id, visitor_id=ann.id, text="read by nobody who comes later")
    await chat.memberships.join(room.id, visitor_id=bob.id)
    browser.cookies.set("anonchat", token)
    for deleted, expected in ((0, ""), (1, "1 message came"), (2, "2 messages came")):
        posted = [
            await chat.messages.post(room.id, visitor_id=ann.id, text="drop") for _ in range(3)
        ]
        for message in posted[:deleted]:
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
        page = (await browser.get(f"/r/{room.slug}")).text
        assert expected in page
        assert ("came and went" in page) is (expected != "")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=posted[-1].seq)


@pytest_asyncio.fixture(loop_scope="session")
async def paused_room_directory(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Pause the updates that are sent once a second, at unpredictable times."""
    is_paused, may_continue = asyncio.Event(), asyncio.Event()

    async def pause() -> set[str]:
        is_paused.set()
        await may_continue.wait()
        return set()

    monkeypatch.setattr(chat.room_directory, "tick", pause)
    await is_paused.wait()
    yield
    may_continue.set()


@pytest.mark.usefixtures("paused_room_directory")
@pytest.mark.parametrize("path", ["/privacy", "/", ""])
async def test_page_without_missed_changes_does_not_sync(
    browser: httpx.AsyncClient, url: str, path: str
) -> None:
    address = await _create_room(browser, f"Quiet Quinn of {path}", f"quiet room {path}")
    async with _connect(url, (await browser.get(path or address)).text) as tab:
        assert not _requested_sync(tab)


async def test_page_syncs_messages_posted_before_it_connected(
    browser: httpx.AsyncClient, url: str
) -> None:
    address = await _create_room(browser, "Busy Bea", "busy room")
    page = (await browser.get(address)).text
    await _post(browser, address, "too early for the page")
    async with _connect(url, page) as tab:
        assert _requested_sync(tab)


async def test_rendered_messages_are_released_after_delivery(
    browser: httpx.AsyncClient, url: str
) -> None:
    address = await _create_room(browser, "Fading Fay", "fading room")
    await _post(browser, address, "not to be found in memory")
    page = (await browser.get(address)).text
    assert "not to be found in memory" in page
    async with _connect(url, page) as tab:
        assert "not to be found" not in tab.client.body_html
        for element in tab.client.elements.values():
            assert "not to be found" not in f"{vars(element)}"


async def test_page_keeps_of_its_request_no_state_of_the_middleware(
    browser: httpx.AsyncClient, url: str
) -> None:
    page = (await browser.get(await _create_room(browser, "Light Lou", "light room"))).text
    async with _connect(url, page) as tab:
        assert not [name for name in tab.client.request.scope if name.endswith("astack")]
        for element in tab.client.elements.values():
            for listener in element._event_listeners.values():
                assert listener.request in (None, tab.client.request)


async def test_page_has_few_elements(browser: httpx.AsyncClient, url: str) -> None:
    page = (await browser.get(await _create_room(browser, "Frugal Fred", "frugal room"))).text
    async with _connect(url, page) as tab:
        assert len(list(tab.client.content.descendants())) <= 45


async def test_client_disconnect_before_the_response_is_no_error(web: FastAPI) -> None:
    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        assert message.get("status") != 500

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "POST",
        "path": "/_nicegui_ws/socket.io/",
        "root_path": "",
        "query_string": b"EIO=4&transport=polling",
        "headers": [(b"host", b"chat.localhost"), (b"accept-encoding", b"gzip")],
    }
    await web(scope, receive, send)


async def test_member_who_leaves_during_rendering_gets_no_room_feeds(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await _create_room(browser, "Leaver", "a room to leave")
    load = MemberList.load

    async def leave_first(members: MemberList) -> None:
        token = {"authorization": f"Bearer {browser.cookies['anonchat']}"}
        await browser.delete(f"/api/v1/rooms/{address[3:]}/membership", headers=token)
        await load(members)

    monkeypatch.setattr(MemberList, "load", leave_first)
    page = (await browser.get(address)).text
    client = Client.instances[page.split("'client_id': '")[1].split("'")[0]]
    feeds = [element for element in client.elements.values() if isinstance(element, LiveList)]
    assert not {"messages", "members"} & {
        topic.channel for feed in feeds for topic in feed.subscription.topics
    }


_EXTERNAL_TARGETS = [
    f"{before}{host}{after}"
    for before in (
        "//",
        "///",
        "////",
        "\\\\",
        "/\\",
        "\\/",
        "/\\/",
        "//\\",
        "/%09/",
        "/%0a/",
        "/%5c",
        "/%2f",
        "/%2f/",
        "%2f%2f",
        "https:",
        "https:/",
        "https://",
        "HTTPS://",
        "https:\\\\",
        "//x@",
        "//a.test:80@",
        "/.//",
        "/..//",
        "/x/..//",
        "//%00",
        ".",
        "@",
        ":80@",
        "javascript:",
        "data:,",
    )
    for host in ("evil.example", "evil.example%2f..", "0x7f000002", "[::2]")
    for after in ("", "/%2e%2e")
]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-forwarded-prefix": "//evil.example", "x-forwarded-host": "evil.example"},
        {
            "x-original-url": "//evil.example",
            "forwarded": "host=evil.example",
            "x-script-name": "//e",
        },
    ],
    ids=["direct", "x-forwarded", "forwarded"],
)
async def test_redirects_never_lead_to_another_site(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert len(_EXTERNAL_TARGETS) == 240
    for target in _EXTERNAL_TARGETS:
        for local_target in (local_path(target), local_path(unquote(target))):
            assert local_target.startswith("/")
            assert not local_target.replace("\\", "/").startswith("//")
        for path in (f"/{target}", f"/r/{target}", "/login", "/"):
            request = browser.build_request("GET", "/login", headers=headers)
            request.url = request.url.copy_with(
                raw_path=f"{path}?{httpx.QueryParams(next=target)}".encode()
            )
            response = await browser.send(request)
            assert response.status_code < 500
            location = response.headers.get("location", "/")
            assert location.isprintable()
            assert urlsplit(location.replace("\\", "/"))[:2] in (
                ("", ""),
                ("http", "chat.localhost"),
            ), location
            assert "evil" not in location.partition("?")[0], location


async def test_manifest_leads_to_the_site_that_it_belongs_to(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/login")).text
    assert '<link rel="manifest" href="manifest.webmanifest">' in page
    manifest = (await browser.get("/manifest.webmanifest")).json()
    assert (manifest["name"], manifest["start_url"]) == ("anonchat", ".")


async def test_icons_of_the_manifest_have_the_named_types_and_sizes(
    browser: httpx.AsyncClient,
) -> None:
    icons = (await browser.get("/manifest.webmanifest")).json()["icons"]
    assert {(icon["sizes"], icon["purpose"]) for icon in icons} == {
        ("any", "any"),
        ("192x192", "any"),
        ("512x512", "any"),
        ("512x512", "maskable"),
    }
    for icon in icons:
        response = await browser.get(f"/{icon['src']}")
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] == icon["type"]
        if icon["type"] == "image/png":
            width = read_width(response.content)
            assert icon["sizes"] == f"{width}x{width}"


async def test_pages_name_an_icon_for_apple_devices(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/login")).text
    (url,) = re.findall('<link rel="apple-touch-icon" href="([^"]+)">', page)
    response = await browser.get(f"/{url}")
    assert response.headers["content-type"] == "image/png"
    assert read_width(response.content) == 180


def read_width(png: bytes) -> int:
    """Return the width of a square PNG image."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width == height
    return int(width)
