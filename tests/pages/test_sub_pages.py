"""Sub pages: what a page holds does not grow when others are opened."""

import httpx
import pytest
from nicegui import core

from pages.elements.sub_pages import SubPages
from tests.pages.tab import Tab, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ROUNDS = 5


async def _open(tab: Tab, path: str) -> None:
    """Open a path on the page, and report that it is shown, as the script does."""
    (pages,) = [each for each in tab.client.elements.values() if isinstance(each, SubPages)]
    shown = pages._shown
    await tab.emit("event", _navigation(tab, path))
    await wait_until(lambda: pages._shown is not shown)
    await _report_shown(tab)


def _navigation(tab: Tab, path: str) -> dict[str, object]:
    (listener,) = [each for each in tab.listeners() if each.type == "sub_pages_navigate"]
    return {
        "id": listener.element_id,
        "client_id": tab.client.id,
        "listener_id": listener.id,
        "args": [f'"{path}"'],
    }


async def _report_shown(tab: Tab) -> None:
    (shown,) = [each for each in tab.listeners() if each.type == "shown"]
    await tab.fire(shown)


def _count(tab: Tab) -> dict[str, int]:
    client = tab.client
    (sid,) = [sid for sid, _ in core.sio.manager.get_participants("/", client.id)]
    return {
        "elements": len(client.elements),
        "connect handlers": len(client.connect_handlers),
        "disconnect handlers": len(client.disconnect_handlers),
        "delete handlers": len(client.delete_handlers),
        "socket rooms": len(core.sio.manager.get_rooms(sid, "/")),
        "scope": len(client.request.scope),
    }


async def test_nothing_grows_when_rooms_are_opened_in_turn(
    browser: httpx.AsyncClient, url: str
) -> None:
    response = await browser.post("/api/v1/visitors", json={"nickname": "Walker"})
    token = response.json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    for name in ("first walk", "second walk"):
        await browser.post("/api/v1/rooms", json={"name": name}, headers=headers)
    async with open_tab(url, "/", token=token) as tab:
        await _open(tab, "/r/first-walk")
        await _open(tab, "/r/second-walk")
        before = _count(tab)
        for _ in range(_ROUNDS):
            await _open(tab, "/r/first-walk")
            await _open(tab, "/r/second-walk")
        assert _count(tab) == before
