"""Pages whose visitor is deleted or whose session is revoked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from nicegui import Client
from sqlmodel import delete

from anonchat import Chat
from anonchat.crypto import fingerprint
from models import TokenRow
from pages import ClientRevoker
from pages.transport import client_revoker
from pages.transport.socket_authorizer import SocketAuthorizer
from tests.history.screen import introduce
from tests.pages.tab import Tab, open_tab, open_websocket, wait_until
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def short_close_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_revoker, "_CLOSE_DELAY_SECONDS", 0.1)


@pytest.fixture
def revoker(web: FastAPI) -> ClientRevoker:
    """Return the object that closes pages of revoked sessions."""
    revoker: ClientRevoker = web.state.client_revoker
    return revoker


@asynccontextmanager
async def _open_tabs(url: str, token: str, *paths: str) -> AsyncIterator[list[Tab]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_tab(url, path, token=token)) for path in paths]


async def _create_visitor(chat: Chat, nickname: str, room: str) -> tuple[str, str, str]:
    """Create a visitor and their room; return visitor id, token and room path."""
    visitor, token = await chat.identity.sign_in(nickname)
    await chat.identity.authenticate(token)
    opened = await chat.rooms.open(room, visitor_id=visitor.id)
    await chat.memberships.join(opened.id, visitor_id=visitor.id)
    return visitor.id, token, f"/r/{opened.slug}"


async def _check_closed(url: str, tab: Tab) -> None:
    """Wait until the tab is disconnected, and check that it cannot reconnect."""
    async with asyncio.timeout(DEADLINE):
        await tab.connection.wait_closed()
    await _check_cannot_reconnect(url, tab.client)


async def _check_cannot_reconnect(url: str, client: Client) -> None:
    handshake = introduce(client.id, tab_id=client._pinned_tab_id or "tab")
    async with open_websocket(url, **handshake) as connection:
        await connection.recv()
        await connection.send("40")
        assert await connection.recv() == '44{"message":"Implicit handshake failed"}'


async def _check_blocked(tab: Tab, sockets: SocketAuthorizer) -> None:
    """Check that events of a page that still exists are refused."""
    before = sockets.refused["foreign"]
    await tab.fire(tab.listeners()[0], {})
    assert sockets.refused["foreign"] == before + 1


async def test_pages_of_a_deleted_visitor_cannot_send_events(
    url: str, chat: Chat, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_revoker, "_CLOSE_DELAY_SECONDS", 60)  # keeps the pages open
    visitor_id, token, path = await _create_visitor(chat, "Fleeting Flo", "flo's room")
    async with _open_tabs(url, token, "/", path) as tabs, open_tab(url, "/login") as other:
        await chat.identity.forget(visitor_id)
        for tab in tabs:
            await wait_until(lambda tab=tab: "gone" in "".join(tab.received))
            await _check_blocked(tab, sockets)
        before = sockets.refused["foreign"]
        await other.fire(other.listeners()[0], {})
        assert sockets.refused["foreign"] == before


async def test_pages_of_a_deleted_visitor_are_closed(url: str, chat: Chat) -> None:
    visitor_id, token, path = await _create_visitor(chat, "Gone Gus", "gus's room")
    async with _open_tabs(url, token, "/", path) as tabs:
        await chat.identity.forget(visitor_id)
        for tab in tabs:
            await _check_closed(url, tab)


async def test_unconnected_page_of_a_deleted_visitor_cannot_connect(url: str, chat: Chat) -> None:
    visitor_id, token, path = await _create_visitor(chat, "Passing Pat", "pat's room")
    async with httpx.AsyncClient(base_url=url, cookies={"anonchat": token}) as http:
        await http.get(path)
    (client,) = client_revoker._list_pages(visitor_id)
    await chat.identity.forget(visitor_id)
    await _check_cannot_reconnect(url, client)


async def test_pages_of_an_evicted_session_are_revoked(
    url: str, chat: Chat, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_revoker, "_CLOSE_DELAY_SECONDS", 60)
    phrase = "correct horse battery staple"
    tokens = [(await chat.identity.sign_in("Many Mia", phrase=phrase))[1] for _ in range(2)]
    async with (
        _open_tabs(url, tokens[0], "/") as [oldest],
        _open_tabs(url, tokens[1], "/") as [newer],
    ):
        for _ in range(chat.settings.sessions_per_visitor_max - 1):
            await chat.identity.sign_in("Many Mia", phrase=phrase)
        await wait_until(lambda: '"open",{"path":"/login"' in "".join(oldest.received))
        await _check_blocked(oldest, sockets)
        before = sockets.refused["foreign"]
        await newer.fire(newer.listeners()[0], {})
        assert sockets.refused["foreign"] == before


async def test_sign_out_revokes_only_the_pages_of_its_browser(
    url: str, chat: Chat, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_revoker, "_CLOSE_DELAY_SECONDS", 60)
    phrase = "correct horse battery staple"
    tokens = [(await chat.identity.sign_in("Signing Sid", phrase=phrase))[1] for _ in range(2)]
    async with (
        _open_tabs(url, tokens[0], "/", "/") as signed_out,
        _open_tabs(url, tokens[1], "/") as [other],
        httpx.AsyncClient(base_url=url, cookies={"anonchat": tokens[0]}) as http,
    ):
        response = await http.delete("/session", headers={"origin": url})
        assert response.status_code == 204
        for tab in signed_out:
            await wait_until(lambda tab=tab: '"open",{"path":"/login"' in "".join(tab.received))
            await _check_blocked(tab, sockets)
        before = sockets.refused["foreign"]
        await other.fire(other.listeners()[0], {})
        assert sockets.refused["foreign"] == before


async def test_session_check_closes_pages_with_expired_tokens(
    url: str, chat: Chat, revoker: ClientRevoker, sockets: SocketAuthorizer
) -> None:
    _, token, path = await _create_visitor(chat, "Expired Eve", "eve's room")
    _, other_token, _ = await _create_visitor(chat, "Living Liz", "liz's room")
    async with (
        _open_tabs(url, token, "/", path) as tabs,
        _open_tabs(url, other_token, "/") as [valid],
        open_tab(url, "/privacy", token=token) as public,
    ):
        await _revoke(chat, token)
        await revoker.check_sessions()
        for tab in tabs:
            await _check_closed(url, tab)
        for tab in (valid, public):  # public pages require no session
            before = sockets.refused["foreign"]
            await tab.emit("ack", {"client_id": tab.client.id, "next_message_id": 0})
            assert sockets.refused["foreign"] == before


async def test_sessions_are_checked_periodically(
    url: str, chat: Chat, revoker: ClientRevoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client_revoker._CHECK_SECONDS <= 1_800
    _, token, path = await _create_visitor(chat, "Round Rob", "rob's room")
    monkeypatch.setattr(revoker._periodic_task, "_seconds", 0.05)
    revoker.stop()
    revoker.start()
    async with _open_tabs(url, token, path) as [tab]:
        await _revoke(chat, token)
        await _check_closed(url, tab)
    revoker.stop()
    monkeypatch.undo()
    revoker.start()


async def test_room_page_of_a_member_who_left_is_notified(url: str, chat: Chat) -> None:
    visitor_id, token, path = await _create_visitor(chat, "Leaving Lea", "lea's room")
    async with _open_tabs(url, token, path) as [tab]:
        await chat.memberships.leave((await chat.rooms.find(path[3:])).id, visitor_id=visitor_id)
        await wait_until(lambda: '"left"' in "".join(tab.received))


async def _revoke(chat: Chat, token: str) -> None:
    """Delete a token, as after its expiry."""
    async with chat._database.transaction() as session:
        await session.exec(delete(TokenRow).where(TokenRow.hash == fingerprint(token)))
    chat.identity._token_cache.clear()


async def test_page_block_is_removed_with_its_page(
    url: str, chat: Chat, sockets: SocketAuthorizer
) -> None:
    visitor_id, token, path = await _create_visitor(chat, "Bygone Bo", "bo's room")
    async with httpx.AsyncClient(base_url=url, cookies={"anonchat": token}) as http:
        await http.get(path)
    (client,) = client_revoker._list_pages(visitor_id)
    await chat.identity.forget(visitor_id)
    assert client.id in sockets._blocked_pages
    client.delete()  # as NiceGUI does for unconnected pages
    assert client.id not in sockets._blocked_pages
