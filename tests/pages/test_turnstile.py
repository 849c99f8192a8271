"""Who asks for pages without end is held back before anything is built, and nobody else is."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from nicegui import Client

from anonchat import Chat, ConnectionLimit
from anonchat.rates import Rate
from pages.live.sockets import Sockets
from tests.challenge import solve
from tests.fakes import FakeClock, make_limit
from tests.history.screen import read_client_id
from tests.pages.tab import open_tab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def narrow(chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Let two pages through in ten seconds; return the clock that they are counted by."""
    monkeypatch.setattr(chat.limits, "pages", make_limit(Rate(2, timedelta(seconds=10)), clock))
    return clock


@pytest.fixture
def busy(chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Let strangers do nothing more; return the clock that they are counted by."""
    rate = Rate(100, timedelta(hours=1))
    for pool in (chat.work._of_strangers, chat.work._of_assets):
        monkeypatch.setattr(pool, "limit", make_limit(rate, clock))
    newcomers = make_limit(rate, clock)
    monkeypatch.setattr(chat.work._of_newcomers, "limit", newcomers)
    monkeypatch.setattr(chat.limits, "work_of_newcomers", newcomers)
    chat.work._of_strangers.limit.spend_address("127.0.0.1", 100)
    return clock


async def _come_in(chat: Chat, nickname: str) -> dict[str, str]:
    """Return the header by which a new visitor is known."""
    _, token = await chat.identity.come_in(nickname)
    return {"cookie": f"anonchat={token}"}


def _read_challenge(page: str) -> tuple[str, int]:
    """Return the challenge that a page poses, and its bits."""
    found = re.search(r'data-challenge="([^"]+)" data-bits="(\d+)"', page)
    assert found, page
    return found[1], int(found[2])


async def _take_pass(browser: httpx.AsyncClient, page: str) -> httpx.Response:
    origin = {"origin": "http://chat.localhost"}
    return await browser.post("/pass", content=solve(*_read_challenge(page)), headers=origin)


@pytest.mark.parametrize("path", ["/login", "/privacy", "/nowhere", "/r/nowhere"])
async def test_stranger_beyond_the_limit_is_sent_a_challenge_and_when_to_come_back(
    browser: httpx.AsyncClient, narrow: FakeClock, path: str
) -> None:
    for _ in range(2):
        assert (await browser.get(path)).status_code in (200, 303, 404)
    before = len(Client.instances)
    answer = await browser.get(path, headers={"accept-language": "ru"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert "Сейчас из вашей сети приходит много людей." in answer.text
    assert "Зайдите снова через 5 с." in answer.text
    assert answer.headers["cache-control"] == "no-store"
    (nonce,) = re.findall(r'<script [^>]*nonce="([^"]+)"', answer.text)
    assert f"'nonce-{nonce}'" in answer.headers["content-security-policy"]
    assert "\0" not in answer.text
    assert len(Client.instances) == before
    narrow.move(timedelta(seconds=5))
    assert (await browser.get(path)).status_code != 429


async def test_busy_page_has_the_colours_that_were_chosen(
    browser: httpx.AsyncClient, busy: FakeClock
) -> None:
    answer = await browser.get("/login", headers={"cookie": "theme=dark"})
    assert "color-scheme: dark" in answer.text
    answer = await browser.get("/login", headers={"cookie": "theme=<script>"})
    assert "color-scheme" not in answer.text


async def test_visitor_gets_every_page_however_many_strangers_of_the_address_ask_for(
    browser: httpx.AsyncClient, narrow: FakeClock, chat: Chat
) -> None:
    ann = await _come_in(chat, "Ann of the busy house")
    for _ in range(50):
        await browser.get("/login")
    assert (await browser.get("/login")).status_code == 429
    for path in ("/", "/privacy"):
        answer = await browser.get(path, headers=ann)
        assert answer.status_code == 200, path


async def test_visitor_beyond_the_own_limit_is_told_when_to_come_back_and_others_are_not(
    browser: httpx.AsyncClient, narrow: FakeClock, chat: Chat
) -> None:
    ann, bob = [await _come_in(chat, f"{name} who asks") for name in ("Ann", "Bob")]
    for _ in range(2):
        assert (await browser.get("/privacy", headers=ann)).status_code == 200
    answer = await browser.get("/privacy", headers={**ann, "accept-language": "ru"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert "Слишком часто. Попробуйте снова через 5 с." in answer.text
    assert "data-challenge" not in answer.text
    assert (await browser.get("/privacy", headers=bob)).status_code == 200


async def test_cookie_that_nobody_has_counts_as_a_stranger(
    browser: httpx.AsyncClient, narrow: FakeClock, chat: Chat
) -> None:
    answers = [
        await browser.get("/privacy", headers={"cookie": f"anonchat={number:065}"})
        for number in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_solved_challenge_lets_a_stranger_of_a_busy_network_through(
    browser: httpx.AsyncClient, busy: FakeClock
) -> None:
    page = await browser.get("/r/night-train?x=1")
    assert page.status_code == 429
    given = await _take_pass(browser, page.text)
    assert given.status_code == 204
    (cookie,) = given.headers.get_list("set-cookie")
    for part in ("HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"):
        assert part in cookie
    assert (await browser.get("/login")).status_code == 200
    busy.move(timedelta(0))
    browser.cookies.clear()
    assert (await browser.get("/login")).status_code == 429


async def test_pass_is_good_for_a_few_pages_a_minute(
    browser: httpx.AsyncClient, busy: FakeClock, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = make_limit(Rate(2, timedelta(minutes=1)), busy)
    monkeypatch.setattr(chat.limits, "pages_with_pass", limit)
    await _take_pass(browser, (await browser.get("/login")).text)
    statuses = [(await browser.get("/login")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_solution_gives_one_pass(browser: httpx.AsyncClient, busy: FakeClock) -> None:
    challenge, bits = _read_challenge((await browser.get("/login")).text)
    solution, headers = solve(challenge, bits), {"origin": "http://chat.localhost"}
    statuses = [
        (await browser.post("/pass", content=solution, headers=headers)).status_code
        for _ in range(2)
    ]
    assert statuses == [204, 403]


@pytest.mark.parametrize("solution", [b"", b"x", b"1.18.2.3:4", b"\xff\xfe", b"1" * 60_000])
async def test_no_pass_is_given_for_what_is_no_solution(
    browser: httpx.AsyncClient, solution: bytes
) -> None:
    answer = await browser.post(
        "/pass", content=solution, headers={"origin": "http://chat.localhost"}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("value", ["", "x", "9999999999.22.00.00", ".", "й", "9999999999..1."])
async def test_invented_pass_opens_nothing(
    browser: httpx.AsyncClient, busy: FakeClock, value: str
) -> None:
    cookie = f"anonchat-pass={value}".encode()
    answer = await browser.get("/login", headers={b"cookie": cookie})
    assert answer.status_code == 429


async def test_pass_ends_after_ten_minutes(
    browser: httpx.AsyncClient, busy: FakeClock, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _take_pass(browser, (await browser.get("/login")).text)
    assert (await browser.get("/login")).status_code == 200
    later = chat.clock() + timedelta(minutes=10, seconds=1)
    monkeypatch.setattr(chat, "clock", lambda: later)
    assert (await browser.get("/login")).status_code == 429


async def test_pass_for_an_easy_challenge_ends_once_many_are_solved(
    browser: httpx.AsyncClient, busy: FakeClock, chat: Chat
) -> None:
    await _take_pass(browser, (await browser.get("/login")).text)
    assert (await browser.get("/login")).status_code == 200
    chat.limits.work_of_newcomers.reserve_address("127.0.0.1", 150, longest=timedelta(hours=9))
    answer = await browser.get("/login")
    assert answer.status_code == 429
    assert _read_challenge(answer.text)[1] == 21


async def test_page_is_not_handed_out_where_its_socket_would_be_refused(
    browser: httpx.AsyncClient, sockets: Sockets, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sockets, "_counted", ConnectionLimit(per_visitor=9, per_network=0, network_total=1_000)
    )
    assert (await browser.get("/login")).status_code == 429
    ann = await _come_in(chat, "Ann of the full house")
    assert (await browser.get("/", headers=ann)).status_code == 200


async def test_socket_of_a_page_that_a_pass_has_opened_has_a_place_in_a_full_network(
    url: str, sockets: Sockets, busy: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sockets, "_counted", ConnectionLimit(per_visitor=9, per_network=0, network_total=1_000)
    )
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        page = (await http.get("/login")).text
        solution = solve(*_read_challenge(page))
        answer = await http.post("/pass", content=solution, headers={"origin": url})
    async with open_tab(url, "/login", cookies=dict(answer.cookies)) as tab:
        assert tab.client.has_socket_connection


async def test_busy_network_refuses_new_sockets_of_strangers_alone(
    web: FastAPI, browser: httpx.AsyncClient, busy: FakeClock, chat: Chat
) -> None:
    query = {"EIO": "4", "transport": "polling"}
    answer = await browser.get("/_nicegui_ws/socket.io/", params=query)
    assert answer.status_code == 429
    ann = await _come_in(chat, "Ann who polls")
    page = read_client_id((await browser.get("/", headers=ann)).text)
    answer = await browser.get("/_nicegui_ws/socket.io/", params={**query, "client_id": page})
    assert answer.status_code == 200


async def test_coming_in_and_being_looked_after_is_never_refused(
    browser: httpx.AsyncClient, busy: FakeClock
) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await browser.get(path)).status_code == 200
    answer = await browser.post("/session", headers={"origin": "http://chat.localhost"})
    assert answer.status_code == 403, "there was no ticket"


async def test_strangers_wait_a_little_before_they_are_refused(
    browser: httpx.AsyncClient, chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = make_limit(Rate(1_000, timedelta(seconds=1)), clock)
    monkeypatch.setattr(chat.work._of_strangers, "limit", limit)
    limit.spend_address("127.0.0.1", 1_000)
    asking = [asyncio.create_task(browser.get("/privacy")) for _ in range(3)]
    assert {(await task).status_code for task in asking} == {200}


async def test_what_belongs_to_pages_is_not_counted(
    browser: httpx.AsyncClient, narrow: FakeClock
) -> None:
    for path in ("/healthz", "/api/v1/docs", "/assets/theme.css", "/favicon.ico") * 3:
        assert (await browser.get(path)).status_code == 200


async def test_of_pages_that_nobody_comes_for_the_oldest_make_room(
    browser: httpx.AsyncClient, url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_tab(url, "/login") as tab:
        monkeypatch.setitem(chat.settings.__dict__, "pages_waiting_max", 3)
        for _ in range(9):
            assert (await browser.get("/login")).status_code == 200
        waiting = [each for each in Client.instances.values() if not each.has_socket_connection]
        assert len(waiting) == 3
        assert tab.client.id in Client.instances
        page = (await browser.get("/login")).text
        assert read_client_id(page) in Client.instances


async def test_pages_of_the_network_that_holds_most_make_room_first(
    url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(chat.settings.__dict__, "pages_waiting_max", 10)
    neighbour, flood = (
        httpx.AsyncClient(
            base_url=url, transport=httpx.AsyncHTTPTransport(local_address=f"127.0.0.{number}")
        )
        for number in (2, 3)
    )
    async with neighbour, flood:
        first = read_client_id((await neighbour.get("/login")).text)
        for _ in range(30):
            last = read_client_id((await flood.get("/login")).text)
        waiting = [each for each in Client.instances.values() if not each.has_socket_connection]
        assert len(waiting) <= 10
        assert {first, last} <= Client.instances.keys()
