"""Rate limit of pages: challenges and passes for anonymous clients, eviction of unused pages."""

import asyncio
import re
from copy import copy
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from nicegui import Client

from anonchat import Chat, ConnectionLimit
from anonchat.rates import Rate
from pages.transport.socket_authorizer import SocketAuthorizer
from tests.challenge import solve
from tests.fakes import FakeClock, make_limit
from tests.history.screen import read_client_id
from tests.pages.tab import open_tab, wait_until
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def strict_limit(chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Limit pages to two in ten seconds; return the clock of the limit."""
    monkeypatch.setattr(chat.limits, "pages", make_limit(Rate(2, timedelta(seconds=10)), clock))
    return clock


@pytest.fixture
def exhausted_budget(chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Use up the budget of anonymous clients; return the clock of the limits."""
    rate = Rate(100, timedelta(hours=1))
    for pool in (chat.work_budget._anonymous_pool, chat.work_budget._asset_pool):
        monkeypatch.setattr(pool, "limit", make_limit(rate, clock))
    pass_holders = make_limit(rate, clock)
    monkeypatch.setattr(chat.work_budget._pass_holder_pool, "limit", pass_holders)
    monkeypatch.setattr(chat.limits, "work_of_pass_holders", pass_holders)
    chat.work_budget._anonymous_pool.limit.hit("127.0.0.1", 100)
    return clock


@pytest_asyncio.fixture(loop_scope="session")
async def full_network(
    sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> ConnectionLimit:
    """Refuse the sockets of anonymous clients; return the limit."""
    # A socket of an earlier test that is released later would be subtracted from the new limit.
    await wait_until(lambda: not len(sockets._connection_limit))
    limit = ConnectionLimit(per_visitor=9, per_network=0, network_total=1_000)
    monkeypatch.setattr(sockets, "_connection_limit", limit)
    return limit


async def _sign_in(chat: Chat, nickname: str) -> dict[str, str]:
    """Sign a visitor in and return the cookie header."""
    _, token = await chat.identity.sign_in(nickname)
    return {"cookie": f"anonchat={token}"}


def _read_challenge(page: str) -> tuple[str, int]:
    """Return the challenge of a page and its difficulty in bits."""
    found = re.search(r'data-challenge="([^"]+)" data-bits="(\d+)"', page)
    assert found, page
    return found[1], int(found[2])


async def _submit_plain_form(browser: httpx.AsyncClient, nickname: str) -> httpx.Response:
    """Post the login form as a browser without scripts does."""
    origin = {"origin": "http://chat.localhost"}
    return await browser.post("/session", data={"nickname": nickname}, headers=origin)


async def _take_pass(browser: httpx.AsyncClient, page: str) -> httpx.Response:
    origin = {"origin": "http://chat.localhost"}
    return await browser.post("/pass", content=solve(*_read_challenge(page)), headers=origin)


@pytest.mark.parametrize("path", ["/login", "/privacy", "/nowhere", "/r/nowhere"])
async def test_anonymous_client_over_the_limit_gets_challenge_and_retry_after(
    browser: httpx.AsyncClient, strict_limit: FakeClock, path: str
) -> None:
    for _ in range(2):
        assert (await browser.get(path)).status_code in (200, 303, 404)
    before = len(Client.instances)
    response = await browser.get(path, headers={"accept-language": "ru"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "5")
    assert "Сейчас из вашей сети приходит много людей." in response.text
    assert "Зайдите снова через 5\xa0с." in response.text
    assert response.headers["cache-control"] == "no-store"
    (nonce,) = re.findall(r'<script [^>]*nonce="([^"]+)"', response.text)
    assert f"'nonce-{nonce}'" in response.headers["content-security-policy"]
    assert "\0" not in response.text
    assert len(Client.instances) == before
    strict_limit.advance(timedelta(seconds=5))
    assert (await browser.get(path)).status_code != 429


async def test_busy_page_uses_the_theme_cookie(
    browser: httpx.AsyncClient, exhausted_budget: FakeClock
) -> None:
    response = await browser.get("/login", headers={"cookie": "theme=dark"})
    assert "color-scheme: dark" in response.text
    response = await browser.get("/login", headers={"cookie": "theme=<script>"})
    assert "color-scheme" not in response.text


async def test_visitor_is_not_limited_by_anonymous_requests_of_the_address(
    browser: httpx.AsyncClient, strict_limit: FakeClock, chat: Chat
) -> None:
    ann = await _sign_in(chat, "Ann of the busy network")
    for _ in range(50):
        await browser.get("/login")
    assert (await browser.get("/login")).status_code == 429
    for path in ("/", "/privacy"):
        response = await browser.get(path, headers=ann)
        assert response.status_code == 200, path


async def test_visitor_over_the_limit_gets_retry_after_and_others_do_not(
    browser: httpx.AsyncClient, strict_limit: FakeClock, chat: Chat
) -> None:
    ann, bob = [await _sign_in(chat, f"{name} who asks") for name in ("Ann", "Bob")]
    for _ in range(2):
        assert (await browser.get("/privacy", headers=ann)).status_code == 200
    response = await browser.get("/privacy", headers={**ann, "accept-language": "ru"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "5")
    assert "Слишком часто. Попробуйте снова через 5\xa0с." in response.text
    assert "data-challenge" not in response.text
    assert (await browser.get("/privacy", headers=bob)).status_code == 200


async def test_rate_limited_page_is_drawn_once_for_all_times(
    browser: httpx.AsyncClient,
    strict_limit: FakeClock,
    chat: Chat,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann = await _sign_in(chat, "Ann in a hurry")
    for _ in range(3):
        response = await browser.get("/privacy", headers=ann)
    assert "Please try again in 5 s." in response.text
    monkeypatch.setattr("nicegui.Client.__init__", None)
    strict_limit.advance(timedelta(seconds=2))
    response = await browser.get("/privacy", headers=ann)
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert "<title>That was too often. Please try again in 3 s. · anonchat</title>" in response.text


async def test_unknown_cookie_counts_as_anonymous(
    browser: httpx.AsyncClient, strict_limit: FakeClock, chat: Chat
) -> None:
    responses = [
        await browser.get("/privacy", headers={"cookie": f"anonchat={number:065}"})
        for number in range(3)
    ]
    assert [response.status_code for response in responses] == [200, 200, 429]


async def test_solved_challenge_admits_anonymous_client_of_a_busy_network(
    browser: httpx.AsyncClient, exhausted_budget: FakeClock
) -> None:
    page = await browser.get("/r/night-train?x=1")
    assert page.status_code == 429
    redeemed = await _take_pass(browser, page.text)
    assert redeemed.status_code == 204
    (cookie,) = redeemed.headers.get_list("set-cookie")
    for part in ("HttpOnly", "SameSite=lax", "Max-Age=600", "Path=/"):
        assert part in cookie
    assert (await browser.get("/login")).status_code == 200
    assert (await _submit_plain_form(browser, " ")).status_code == 422
    exhausted_budget.advance(timedelta(0))
    browser.cookies.clear()
    for response in (await browser.get("/login"), await _submit_plain_form(browser, " ")):
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) > 0


async def test_pass_is_limited_to_its_page_rate(
    browser: httpx.AsyncClient,
    exhausted_budget: FakeClock,
    chat: Chat,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = make_limit(Rate(2, timedelta(minutes=1)), exhausted_budget)
    monkeypatch.setattr(chat.limits, "pages_with_pass", limit)
    await _take_pass(browser, (await browser.get("/login")).text)
    statuses = [(await browser.get("/login")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_solution_is_redeemed_once(
    browser: httpx.AsyncClient, exhausted_budget: FakeClock
) -> None:
    challenge, bits = _read_challenge((await browser.get("/login")).text)
    solution, headers = solve(challenge, bits), {"origin": "http://chat.localhost"}
    statuses = [
        (await browser.post("/pass", content=solution, headers=headers)).status_code
        for _ in range(2)
    ]
    assert statuses == [204, 403]


@pytest.mark.parametrize("solution", [b"", b"x", b"1.18.2.3:4", b"\xff\xfe", b"1" * 60_000])
async def test_invalid_solution_gives_no_pass(browser: httpx.AsyncClient, solution: bytes) -> None:
    response = await browser.post(
        "/pass", content=solution, headers={"origin": "http://chat.localhost"}
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("value", ["", "x", "9999999999.22.00.00", ".", "й", "9999999999..1."])
async def test_invalid_pass_is_refused(
    browser: httpx.AsyncClient, exhausted_budget: FakeClock, value: str
) -> None:
    cookie = f"anonchat-pass={value}".encode()
    response = await browser.get("/login", headers={b"cookie": cookie})
    assert response.status_code == 429


async def test_pass_expires_after_ten_minutes(
    browser: httpx.AsyncClient,
    exhausted_budget: FakeClock,
    chat: Chat,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _take_pass(browser, (await browser.get("/login")).text)
    assert (await browser.get("/login")).status_code == 200
    later = chat.clock() + timedelta(minutes=10, seconds=1)
    monkeypatch.setattr(chat, "clock", lambda: later)
    assert (await browser.get("/login")).status_code == 429


async def test_pass_expires_when_the_difficulty_rises(
    browser: httpx.AsyncClient, exhausted_budget: FakeClock, chat: Chat
) -> None:
    await _take_pass(browser, (await browser.get("/login")).text)
    assert (await browser.get("/login")).status_code == 200
    chat.limits.work_of_pass_holders.reserve("127.0.0.1", 150, max_wait=timedelta(hours=9))
    response = await browser.get("/login")
    assert response.status_code == 429
    assert _read_challenge(response.text)[1] == 21


async def test_page_is_refused_if_its_socket_would_be_refused(
    browser: httpx.AsyncClient, full_network: ConnectionLimit, chat: Chat
) -> None:
    assert (await browser.get("/login")).status_code == 429
    ann = await _sign_in(chat, "Ann of the full network")
    assert (await browser.get("/", headers=ann)).status_code == 200


async def test_socket_of_a_page_with_pass_is_accepted_in_a_full_network(
    url: str, full_network: ConnectionLimit, exhausted_budget: FakeClock
) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as http:
        page = (await http.get("/login")).text
        solution = solve(*_read_challenge(page))
        response = await http.post("/pass", content=solution, headers={"origin": url})
    async with open_tab(url, "/login", cookies=dict(response.cookies)) as tab:
        assert tab.client.has_socket_connection
    await wait_until(lambda: not len(full_network))  # before the limit is replaced again


async def test_busy_network_refuses_only_anonymous_sockets(
    web: FastAPI, browser: httpx.AsyncClient, exhausted_budget: FakeClock, chat: Chat
) -> None:
    query = {"EIO": "4", "transport": "polling"}
    response = await browser.get("/_nicegui_ws/socket.io/", params=query)
    assert response.status_code == 429
    ann = await _sign_in(chat, "Ann who polls")
    page = read_client_id((await browser.get("/", headers=ann)).text)
    response = await browser.get("/_nicegui_ws/socket.io/", params={**query, "client_id": page})
    assert response.status_code == 200


async def test_sign_in_and_health_checks_are_never_limited(
    browser: httpx.AsyncClient, exhausted_budget: FakeClock
) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await browser.get(path)).status_code == 200
    response = await browser.post("/session", headers={"origin": "http://chat.localhost"})
    assert response.status_code == 422, "refused for the missing nickname only"


async def test_anonymous_requests_are_delayed_before_they_are_refused(
    browser: httpx.AsyncClient, chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = make_limit(Rate(1_000, timedelta(seconds=1)), clock)
    monkeypatch.setattr(chat.work_budget._anonymous_pool, "limit", limit)
    limit.hit("127.0.0.1", 1_000)
    requests = [asyncio.create_task(browser.get("/privacy")) for _ in range(3)]
    assert {(await task).status_code for task in requests} == {200}


async def test_assets_api_and_health_checks_are_not_counted_as_pages(
    browser: httpx.AsyncClient, strict_limit: FakeClock
) -> None:
    for path in ("/healthz", "/api/v1/docs", "/assets/theme.css", "/favicon.ico") * 3:
        assert (await browser.get(path)).status_code == 200


async def test_oldest_unconnected_pages_are_evicted(
    browser: httpx.AsyncClient, url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_tab(url, "/login") as tab:
        monkeypatch.setitem(chat.settings.__dict__, "unconnected_pages_max", 3)
        for _ in range(9):
            assert (await browser.get("/login")).status_code == 200
        waiting = [each for each in Client.instances.values() if not each.has_socket_connection]
        assert len(waiting) == 3
        assert tab.client.id in Client.instances
        page = (await browser.get("/login")).text
        assert read_client_id(page) in Client.instances


async def test_page_that_is_evicted_before_it_reconnects_is_deleted_once(
    browser: httpx.AsyncClient,
    url: str,
    chat: Chat,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_tab(url, "/login") as tab:
        tab.client.page = copy(tab.client.page)
        tab.client.page.reconnect_timeout = 5
    await wait_until(lambda: tab.client._delete_tasks)
    (deletion,) = tab.client._delete_tasks.values()
    monkeypatch.setitem(chat.settings.__dict__, "unconnected_pages_max", 1)
    await browser.get("/login")
    assert tab.client.id not in Client.instances
    await asyncio.wait([deletion])
    assert not caplog.records


async def test_unconnected_pages_of_the_largest_network_are_evicted_first(
    url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(chat.settings.__dict__, "unconnected_pages_max", 10)
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
