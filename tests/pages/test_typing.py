"""Typing signals of pages."""

from functools import partial

import pytest

from anonchat import Chat, Typing, TypingSignalled
from tests.fakes import EventRecorder
from tests.pages.tab import Tab, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def enter(chat: Chat, name: str, *nicknames: str) -> list[str]:
    """Let new visitors join the room of that name; return their tokens."""
    tokens = []
    for nickname in nicknames:
        visitor, token = await chat.identity.sign_in(nickname)
        await chat.identity.authenticate(token)
        room = await chat.rooms.open(name, visitor_id=visitor.id)
        await chat.memberships.join(room.id, visitor_id=visitor.id)
        tokens.append(token)
    return tokens


async def type_text(tab: Tab) -> None:
    (listener,) = [each for each in tab.listeners() if each.type == "typing"]
    await tab.fire(listener)


def news(tab: Tab) -> list[str]:
    """Return the packets about who is typing."""
    return [packet for packet in tab.received if '"typing":{' in packet and "feed" in packet]


async def test_signal_is_sent_to_the_pages_of_the_room_alone(url: str, chat: Chat) -> None:
    ann, ben = await enter(chat, "room of typists", "Ann who types", "Ben who reads")
    (cleo,) = await enter(chat, "room of others", "Cleo elsewhere")
    async with (
        open_tab(url, "/r/room-of-typists", token=ann) as page,
        open_tab(url, "/r/room-of-typists", token=ben) as other,
        open_tab(url, "/r/room-of-others", token=cleo) as elsewhere,
    ):
        await type_text(page)
        await wait_until(lambda: bool(news(other) and news(page)))
        room = await chat.rooms.find("room-of-typists")
        (author,) = chat.typing.get(room.id).authors
        said = f'"typing":{{"room":"{room.id}","authors":["{author}"],"several":false}}'
        assert said in news(other)[0]
        await type_text(page)
        await chat.messages.post(room.id, visitor_id=_visitor_of(page), text="hello")
        await wait_until(lambda: len(news(other)) == 2)
        assert '"authors":[]' in news(other)[1]
        assert not news(elsewhere)


async def test_page_that_connects_is_told_who_is_typing(url: str, chat: Chat) -> None:
    ann, ben = await enter(chat, "room of latecomers", "Ann who typed", "Ben who is late")
    async with open_tab(url, "/r/room-of-latecomers", token=ann) as page:
        await type_text(page)
        room = await chat.rooms.find("room-of-latecomers")
        await wait_until(lambda: chat.typing.get(room.id) != Typing())
        (author,) = chat.typing.get(room.id).authors
        async with open_tab(url, "/r/room-of-latecomers", token=ben) as late:
            told = partial(_is_told, late, author)
            await wait_until(told)


async def test_page_of_a_former_member_signals_nothing(
    url: str, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    (ann,) = await enter(chat, "room of leavers", "Ann who leaves")
    async with open_tab(url, "/r/room-of-leavers", token=ann) as page:
        room = await chat.rooms.find("room-of-leavers")
        listeners = [each for each in page.listeners() if each.type == "typing"]
        await chat.memberships.leave(room.id, visitor_id=_visitor_of(page))
        recorder = EventRecorder(chat)
        for listener in listeners:
            await page.fire(listener)
        assert chat.typing.get(room.id) == Typing()
        assert not recorder.of_type(TypingSignalled)
    assert "unhandled exception" not in caplog.text


def _visitor_of(tab: Tab) -> str:
    visitor: str = tab.client.request.scope["visitor"]
    return visitor


def _is_told(tab: Tab, author: str) -> bool:
    return any("showTyping" in packet and author in packet for packet in tab.received)
