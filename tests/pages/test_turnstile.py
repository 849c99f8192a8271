"""Who asks for pages without end is held back before anything is built."""

from datetime import timedelta

import httpx
import pytest
from nicegui import Client

from anonchat import Chat
from anonchat.rates import Rate
from tests.fakes import FakeClock, make_limit
from tests.history.screen import read_client_id
from tests.pages.tab import open_tab

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def narrow(chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Let two pages through in ten seconds; return the clock that they are counted by."""
    monkeypatch.setattr(chat.limits, "pages", make_limit(Rate(2, timedelta(seconds=10)), clock))
    return clock


@pytest.mark.parametrize("path", ["/login", "/privacy", "/nowhere", "/r/nowhere"])
async def test_pages_have_a_limit_and_say_when_to_come_back(
    browser: httpx.AsyncClient, narrow: FakeClock, path: str
) -> None:
    for _ in range(2):
        assert (await browser.get(path)).status_code in (200, 303, 404)
    before = len(Client.instances)
    answer = await browser.get(path, headers={"accept-language": "ru"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert "Слишком часто. Попробуйте снова через 5 с." in answer.text
    assert answer.headers["content-security-policy"]
    assert len(Client.instances) == before
    narrow.move(timedelta(seconds=5))
    assert (await browser.get(path)).status_code != 429


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
