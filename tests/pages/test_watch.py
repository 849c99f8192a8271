"""Screens whose visitor is known here no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from nicegui import Client
from sqlmodel import delete

from anonchat import Chat
from anonchat.seal import fingerprint
from models import TokenRow
from pages import Watch, watch
from pages.live.sockets import Sockets
from tests.history.screen import introduce
from tests.pages.tab import PATIENCE, Tab, open_tab, plug_in, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FAREWELL_SECONDS", 0.1)


@pytest.fixture
def rounds(web: FastAPI) -> Watch:
    """Return what goes round among the screens."""
    rounds: Watch = web.state.watch
    return rounds


@asynccontextmanager
async def _open_tabs(url: str, token: str, *paths: str) -> AsyncIterator[list[Tab]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_tab(url, path, token=token)) for path in paths]


async def _come_in(chat: Chat, nickname: str, room: str) -> tuple[str, str, str]:
    """Come in, open a room; return one's id, one's token, and the path of the room."""
    visitor, token = await chat.identity.come_in(nickname)
    await chat.identity.recognise(token)
    opened = await chat.rooms.open(room, visitor_id=visitor.id)
    await chat.memberships.join(opened.id, visitor_id=visitor.id)
    return visitor.id, token, f"/r/{opened.slug}"


async def _is_closed(url: str, tab: Tab) -> None:
    """See that the tab has lost its line, and that it would have to load the page again."""
    async with asyncio.timeout(PATIENCE):
        await tab.line.wait_closed()
    await _cannot_come_back(url, tab.client)


async def _cannot_come_back(url: str, client: Client) -> None:
    hello = introduce(client.id, tab_id=client._pinned_tab_id or "tab")
    async with plug_in(url, **hello) as line:
        await line.recv()
        await line.send("40")
        assert await line.recv() == '44{"message":"Implicit handshake failed"}'


async def _is_silent(tab: Tab, sockets: Sockets) -> None:
    """See that nobody can speak for the page, though it is still there."""
    before = sockets.refused["foreign"]
    await tab.fire(tab.listeners()[0], {})
    assert sockets.refused["foreign"] == before + 1


async def test_nobody_speaks_any_more_for_one_who_is_forgotten(
    url: str, chat: Chat, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FAREWELL_SECONDS", 60)  # else they are gone before we can ask
    visitor_id, token, path = await _come_in(chat, "Fleeting Flo", "flo's room")
    async with _open_tabs(url, token, "/", path) as tabs, open_tab(url, "/login") as other:
        await chat.identity.forget(visitor_id)
        for tab in tabs:
            await until(lambda tab=tab: "gone" in "".join(tab.heard))
            await _is_silent(tab, sockets)
        before = sockets.refused["foreign"]
        await other.fire(other.listeners()[0], {})
        assert sockets.refused["foreign"] == before


async def test_one_who_is_forgotten_has_no_screens_any_more(url: str, chat: Chat) -> None:
    visitor_id, token, path = await _come_in(chat, "Gone Gus", "gus's room")
    async with _open_tabs(url, token, "/", path) as tabs:
        await chat.identity.forget(visitor_id)
        for tab in tabs:
            await _is_closed(url, tab)


async def test_a_page_on_its_way_to_one_who_is_forgotten_never_comes_alive(
    url: str, chat: Chat
) -> None:
    visitor_id, token, path = await _come_in(chat, "Passing Pat", "pat's room")
    async with httpx.AsyncClient(base_url=url, cookies={"anonchat": token}) as http:
        await http.get(path)
    (client,) = watch._screens(visitor_id)
    await chat.identity.forget(visitor_id)
    await _cannot_come_back(url, client)


async def test_the_browser_that_had_to_give_way_loses_its_screens(
    url: str, chat: Chat, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FAREWELL_SECONDS", 60)
    phrase = "correct horse battery staple"
    tokens = [(await chat.identity.come_in("Many Mia", phrase=phrase))[1] for _ in range(2)]
    async with (
        _open_tabs(url, tokens[0], "/") as [oldest],
        _open_tabs(url, tokens[1], "/") as [next_one],
    ):
        for _ in range(chat.settings.browsers_per_visitor_max - 1):
            await chat.identity.come_in("Many Mia", phrase=phrase)
        await until(lambda: '"open",{"path":"/login"' in "".join(oldest.heard))
        await _is_silent(oldest, sockets)
        before = sockets.refused["foreign"]
        await next_one.fire(next_one.listeners()[0], {})
        assert sockets.refused["foreign"] == before


async def test_signed_out_browser_loses_its_screens_and_the_others_keep_theirs(
    url: str, chat: Chat, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_FAREWELL_SECONDS", 60)
    phrase = "correct horse battery staple"
    tokens = [(await chat.identity.come_in("Signing Sid", phrase=phrase))[1] for _ in range(2)]
    async with (
        _open_tabs(url, tokens[0], "/", "/") as leaving,
        _open_tabs(url, tokens[1], "/") as [staying],
        httpx.AsyncClient(base_url=url, cookies={"anonchat": tokens[0]}) as http,
    ):
        answer = await http.delete("/session", headers={"origin": url})
        assert answer.status_code == 204
        for tab in leaving:
            await until(lambda tab=tab: '"open",{"path":"/login"' in "".join(tab.heard))
            await _is_silent(tab, sockets)
        before = sockets.refused["foreign"]
        await staying.fire(staying.listeners()[0], {})
        assert sockets.refused["foreign"] == before


async def test_who_goes_round_finds_the_screens_of_those_who_are_known_no_more(
    url: str, chat: Chat, rounds: Watch, sockets: Sockets
) -> None:
    _, token, path = await _come_in(chat, "Expired Eve", "eve's room")
    _, other, _ = await _come_in(chat, "Living Liz", "liz's room")
    async with (
        _open_tabs(url, token, "/", path) as tabs,
        _open_tabs(url, other, "/") as [living],
        open_tab(url, "/privacy", token=token) as public,
    ):
        await _revoke(chat, token)
        await rounds.go_round()
        for tab in tabs:
            await _is_closed(url, tab)
        for tab in (living, public):  # what is public shows nothing that is anybody's
            before = sockets.refused["foreign"]
            await tab.say("ack", {"client_id": tab.client.id, "next_message_id": 0})
            assert sockets.refused["foreign"] == before


async def test_rounds_are_made_again_and_again(
    url: str, chat: Chat, rounds: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch._ROUND_SECONDS <= 1_800
    _, token, path = await _come_in(chat, "Round Rob", "rob's room")
    monkeypatch.setattr(rounds._pulse, "_seconds", 0.05)
    rounds.stop()
    rounds.start()
    async with _open_tabs(url, token, path) as [tab]:
        await _revoke(chat, token)
        await _is_closed(url, tab)
    rounds.stop()
    monkeypatch.undo()
    rounds.start()


async def test_one_who_left_a_room_is_shown_out_of_it(url: str, chat: Chat) -> None:
    visitor_id, token, path = await _come_in(chat, "Leaving Lea", "lea's room")
    async with _open_tabs(url, token, path) as [tab]:
        await chat.memberships.leave((await chat.rooms.find(path[3:])).id, visitor_id=visitor_id)
        await until(lambda: '"left"' in "".join(tab.heard))


async def _revoke(chat: Chat, token: str) -> None:
    """Let a token be nobody's, as after it has expired."""
    async with chat._database.transaction() as session:
        await session.exec(delete(TokenRow).where(TokenRow.hash == fingerprint(token)))
    chat.identity._known.clear()


async def test_what_was_silenced_is_forgotten_with_its_page(
    url: str, chat: Chat, sockets: Sockets
) -> None:
    visitor_id, token, path = await _come_in(chat, "Bygone Bo", "bo's room")
    async with httpx.AsyncClient(base_url=url, cookies={"anonchat": token}) as http:
        await http.get(path)
    (client,) = watch._screens(visitor_id)
    await chat.identity.forget(visitor_id)
    assert client.id in sockets._silenced
    client.delete()  # as NiceGUI does after a minute
    assert client.id not in sockets._silenced
