"""The whole application, asked over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from nicegui import Client
from starlette.types import Message

from anonchat import Chat
from pages import frame, talk
from pages.door import local_path
from pages.live.feed import Feed
from tests.nasty import NASTY
from tests.pages.tab import Tab, connect_page, until
from tests.payloads import PAYLOADS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_lives_and_is_ready(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/healthz")).text == "ok"
    assert (await browser.get("/readyz")).text == "ready"
    for path in ("/healthz", "/readyz"):
        answer = await browser.head(path)
        assert (answer.status_code, answer.text) == (200, "")


@pytest.mark.parametrize(
    "path",
    ["/", "/login", "/privacy", "/nowhere", "/r/none", "STYLE", "/favicon.ico", "/healthz"],
)
async def test_head_is_answered_like_get_without_a_body(
    browser: httpx.AsyncClient, path: str
) -> None:
    path = path.replace("STYLE", frame.STYLE_SHEET)
    for _ in range(2):  # the second time from the cache
        asked, told = await browser.get(path), await browser.head(path)
        assert told.status_code == asked.status_code
        assert told.content == b""
        assert {*told.headers} == {*asked.headers}
        for name in ("content-type", "location", "cache-control", "etag"):
            assert told.headers.get(name) == asked.headers.get(name)


async def test_what_is_allowed_names_head(browser: httpx.AsyncClient) -> None:
    origin = {"origin": "http://chat.localhost"}
    for path in ("/privacy", "/login"):
        assert (await browser.post(path, headers=origin)).headers["allow"] == "GET, HEAD"


async def test_head_of_a_room_is_answered_to_its_visitor(
    browser: httpx.AsyncClient, url: str
) -> None:
    address = await _visit(browser, "Heading Hal", "a room to head for")
    async with httpx.AsyncClient(base_url=url, cookies=browser.cookies) as wire:
        told = await wire.head(address)
        assert (told.status_code, told.content) == (200, b"")
        assert told.headers["content-type"].startswith("text/html")
        assert (await wire.head(frame.STYLE_SHEET)).headers["content-length"] > "0"
        assert (await wire.get("/healthz")).text == "ok"  # on the same connection


@pytest.mark.parametrize(
    ("path", "login"), [("/", "/login"), ("/r/night-train", "/login?next=/r/night-train")]
)
async def test_strangers_are_sent_to_the_login(
    browser: httpx.AsyncClient, path: str, login: str
) -> None:
    response = await browser.get(path)
    assert response.status_code == 303
    assert response.headers["location"] == login


async def test_a_stranger_learns_nothing_of_which_rooms_there_are(
    browser: httpx.AsyncClient,
) -> None:
    answers = {(await browser.get(f"/r/{slug}")).status_code for slug in ("a", "b", "%00", "..")}
    assert answers <= {303, 404}


@pytest.mark.parametrize("path", ["/login", "/privacy", "/nowhere", "/r", "/r/a/b"])
@pytest.mark.parametrize("code", ["en", "ru"])
async def test_pages_for_everybody_are_in_the_language_of_the_browser(
    browser: httpx.AsyncClient, path: str, code: str
) -> None:
    response = await browser.get(path, headers={"accept-language": code})
    assert f'lang="{code}' in response.text
    assert response.status_code == (200 if path in ("/login", "/privacy") else 404)


async def test_nothing_is_loaded_from_elsewhere(browser: httpx.AsyncClient) -> None:
    text = (await browser.get("/login")).text
    for mark in ('src="http', 'href="http', 'src="//', 'href="//', 'url("http', 'url("//'):
        assert mark not in text


@pytest.mark.parametrize("path", ["/broken", "/broken-late", "/very-broken"])
async def test_what_breaks_says_so_without_saying_why(
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


async def test_a_page_that_takes_too_long_says_nothing_of_it(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(Client.instances)
    monkeypatch.setattr(frame, "_BUILD_SECONDS", 0.05)
    response = await browser.get("/slow")
    assert response.status_code == 500
    assert "Something went wrong here." in response.text
    assert "timeout" not in response.text.lower()
    assert set(Client.instances) <= before


async def test_where_there_is_nothing_no_page_is_kept(browser: httpx.AsyncClient) -> None:
    await _visit(browser, "Lost Lou", "a room that is there")
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


async def test_the_bare_address_of_the_api_answers_as_the_api_does(
    browser: httpx.AsyncClient,
) -> None:
    for path in ("/api/v1", "/api/v1/", "/api/v1/nothing"):
        response = await browser.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_the_style_sheet_and_the_icon_are_there(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/nowhere")).text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    response = await browser.get(address)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert (await browser.get("/favicon.ico")).status_code == 200


async def test_there_are_no_doors_that_nobody_made(browser: httpx.AsyncClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/assets/../main.py", "/.env"):
        assert (await browser.get(path)).status_code == 404


async def _visit(browser: httpx.AsyncClient, nickname: str, room: str) -> str:
    """Come in by the API, open a room, and return the address of its page."""
    answer = await browser.post("/api/v1/visitors", json={"nickname": nickname})
    token = answer.json()["token"]
    browser.cookies.set("anonchat", token)
    made = await browser.post(
        "/api/v1/rooms", json={"name": room}, headers={"authorization": f"Bearer {token}"}
    )
    return f"/r/{made.json()['slug']}"


async def _say(browser: httpx.AsyncClient, address: str, text: str) -> None:
    answer = await browser.post(
        f"/api/v1/rooms/{address[3:]}/messages",
        json={"text": text},
        headers={"authorization": f"Bearer {browser.cookies['anonchat']}"},
    )
    assert answer.status_code == 201


@asynccontextmanager
async def _connect(url: str, page: str) -> AsyncIterator[Tab]:
    """Connect to a page as its browser does, until it was told what it missed."""
    async with connect_page(url, page) as tab:
        feeds = [element for element in tab.client.elements.values() if isinstance(element, Feed)]
        assert feeds
        await until(lambda: all(feed._drawn_at is None for feed in feeds))
        await tab.say("ack", {"client_id": tab.client.id, "next_message_id": 0})
        yield tab


def _is_asked(tab: Tab) -> bool:
    return any('\\"sync\\"' in frame for frame in tab.heard)


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
async def test_every_spelling_of_an_address_leads_to_one(
    browser: httpx.AsyncClient, path: str, canonical: str
) -> None:
    await _visit(browser, f"Spelling {abs(hash(path)) % 10_000}", "lounge")
    answer = await browser.get(path, follow_redirects=True)
    ways = [way.headers["location"] for way in answer.history]
    assert ways
    if canonical.startswith("/login"):  # who is known goes on from there
        assert ways[0] == canonical
    else:
        assert (ways[-1], answer.status_code) == (canonical, 200)


async def test_a_stranger_learns_no_address_from_another_spelling(
    browser: httpx.AsyncClient,
) -> None:
    await _visit(browser, "Spelling Sue", "lounge")
    browser.cookies.clear()
    there, nowhere = await browser.get("/r/LOUNGE"), await browser.get("/r/NOWHERE")
    assert there.headers["location"] == "/login?next=/r/LOUNGE"
    assert nowhere.headers["location"] == "/login?next=/r/NOWHERE"


async def test_what_people_write_is_no_markup_on_a_page(browser: httpx.AsyncClient) -> None:
    address = await _visit(browser, "</script><u>Ann", "</template></script><b>room")
    await _say(browser, address, "</script><script>alert(1)</script>")
    for path in ("/", address):
        page = (await browser.get(path)).text.lower()
        for trap in ("<u>ann", "<b>room", "<script>alert"):
            assert trap not in page


async def test_no_message_spoils_the_page_of_its_room(browser: httpx.AsyncClient) -> None:
    drawn = 0
    token = {}
    for number, text in enumerate([*NASTY.values(), *PAYLOADS[::10]]):
        if not number % 40:  # nobody may be in countless rooms
            await _visit(browser, f"Taster {number}", f"poison {number}")
            token = {"authorization": f"Bearer {browser.cookies['anonchat']}"}
        made = await browser.post("/api/v1/rooms", json={"name": f"p {number}"}, headers=token)
        address = f"/r/{made.json()['slug']}"
        said = await browser.post(
            f"/api/v1/rooms/{address[3:]}/messages",
            content=json.dumps({"text": text}),
            headers={**token, "content-type": "application/json"},
        )
        assert said.status_code in (201, 413, 422)
        page = await browser.get(address)
        assert page.status_code == 200
        drawn += "composer" in page.text and said.status_code == 201
    assert drawn > 40


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Let nothing be told that is told once a second, and that may fall anywhere."""
    stands, goes_on = asyncio.Event(), asyncio.Event()

    async def stand() -> set[str]:
        stands.set()
        await goes_on.wait()
        return set()

    monkeypatch.setattr(chat.lobby, "turn", stand)
    await stands.wait()
    yield
    goes_on.set()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("path", ["/privacy", "/", ""])
async def test_a_page_that_missed_nothing_asks_for_nothing(
    browser: httpx.AsyncClient, url: str, path: str
) -> None:
    address = await _visit(browser, f"Quiet Quinn of {path}", f"quiet room {path}")
    async with _connect(url, (await browser.get(path or address)).text) as tab:
        assert not _is_asked(tab)


async def test_a_page_asks_for_what_was_said_while_it_was_on_its_way(
    browser: httpx.AsyncClient, url: str
) -> None:
    address = await _visit(browser, "Busy Bea", "busy room")
    page = (await browser.get(address)).text
    await _say(browser, address, "too early for the page")
    async with _connect(url, page) as tab:
        assert _is_asked(tab)


async def test_nothing_of_what_was_drawn_stays_behind_once_the_browser_has_it(
    browser: httpx.AsyncClient, url: str
) -> None:
    address = await _visit(browser, "Fading Fay", "fading room")
    await _say(browser, address, "not to be found in memory")
    page = (await browser.get(address)).text
    assert "not to be found in memory" in page
    async with _connect(url, page) as tab:
        assert "not to be found" not in tab.client.body_html
        for element in tab.client.elements.values():
            assert "not to be found" not in f"{vars(element)}"


async def test_a_page_is_made_of_few_elements(browser: httpx.AsyncClient, url: str) -> None:
    page = (await browser.get(await _visit(browser, "Frugal Fred", "frugal room"))).text
    async with _connect(url, page) as tab:
        assert len(tab.client.elements) < 20


async def test_whoever_goes_before_the_answer_is_no_error(web: FastAPI) -> None:
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


async def test_who_leaves_while_their_page_is_drawn_hears_of_nobody(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await _visit(browser, "Leaver", "a room to leave")
    drawing = talk.Talk._members

    async def leave_first(member: talk.Talk) -> Feed:
        token = {"authorization": f"Bearer {browser.cookies['anonchat']}"}
        await browser.delete(f"/api/v1/rooms/{address[3:]}/membership", headers=token)
        return await drawing(member)

    monkeypatch.setattr(talk.Talk, "_members", leave_first)
    page = (await browser.get(address)).text
    client = Client.instances[page.split("'client_id': '")[1].split("'")[0]]
    feeds = [element for element in client.elements.values() if isinstance(element, Feed)]
    assert not {"messages", "members"} & {topic.channel for feed in feeds for topic in feed._topics}


_ELSEWHERE = [
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
    "told",
    [
        {},
        {"x-forwarded-prefix": "//evil.example", "x-forwarded-host": "evil.example"},
        {
            "x-original-url": "//evil.example",
            "forwarded": "host=evil.example",
            "x-script-name": "//e",
        },
    ],
    ids=["as it is", "through a proxy", "through another"],
)
async def test_nobody_is_ever_led_to_another_site(
    browser: httpx.AsyncClient, told: dict[str, str]
) -> None:
    assert len(_ELSEWHERE) == 240
    for target in _ELSEWHERE:
        for way_back in (local_path(target), local_path(unquote(target))):
            assert way_back.startswith("/")
            assert not way_back.replace("\\", "/").startswith("//")
        for path in (f"/{target}", f"/r/{target}", "/login", "/"):
            request = browser.build_request("GET", "/login", headers=told)
            request.url = request.url.copy_with(
                raw_path=f"{path}?{httpx.QueryParams(next=target)}".encode()
            )
            answer = await browser.send(request)
            assert answer.status_code < 500
            place = answer.headers.get("location", "/")
            assert place.isprintable()
            assert urlsplit(place.replace("\\", "/"))[:2] in (
                ("", ""),
                ("http", "chat.localhost"),
            ), place
            assert "evil" not in place.partition("?")[0], place
