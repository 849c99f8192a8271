"""Who asks for pages without end is held back before anything is built."""

from datetime import timedelta

import httpx
import pytest
from nicegui import Client

from anonchat import Chat, Limit
from anonchat.rates import Rate
from tests.fakes import FakeClock

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def narrow(chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Let two pages through in ten seconds; return the clock that they are counted by."""
    monkeypatch.setattr(chat.limits, "pages", Limit(Rate(2, timedelta(seconds=10)), clock))
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


async def test_pages_that_nobody_came_for_are_bounded(
    browser: httpx.AsyncClient, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = len(Client.instances)
    monkeypatch.setattr(chat.limits, "_pages_waiting_max", waiting + 3)
    for _ in range(3):
        assert (await browser.get("/login")).status_code == 200
    answer = await browser.get("/login")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert "Too many come at once." in answer.text
    assert len(Client.instances) == waiting + 3
