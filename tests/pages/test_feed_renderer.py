"""Updates that pages receive once a second."""

from datetime import timedelta
from functools import partial

import pytest

from anonchat import Chat, VisitorTold
from pages.elements.list_sync import ClientState
from pages.lists.messages import MessageList
from tests.fakes import create_room_with_members
from tests.pages.built_page import show_page
from tests.pages.tab import Tab, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_presence_is_published_on_changes_and_not_with_every_message(
    url: str, chat: Chat
) -> None:
    ann, token = await chat.identity.sign_in("Ann of the news")
    await chat.identity.authenticate(token)
    room = await chat.rooms.open("room of the news", visitor_id=ann.id)
    async with open_tab(url, f"/r/{room.slug}", token=token) as page:
        await wait_until(lambda: _has_received("present", page))
        for text in ("one", "two"):
            page.received.clear()
            await chat.messages.post(room.id, visitor_id=ann.id, text=text)
            await wait_until(lambda: _has_received("facts", page))
            assert not _has_received("present", page)


async def test_told_text_is_sent_to_the_pages_of_its_visitor_alone(url: str, chat: Chat) -> None:
    room, tokens, ids = None, [], []
    for nickname in ("Ann who is told", "Bob who is not"):
        visitor, token = await chat.identity.sign_in(nickname)
        await chat.identity.authenticate(token)
        room = room or await chat.rooms.open("room of the told", visitor_id=visitor.id)
        await chat.memberships.join(room.id, visitor_id=visitor.id)
        tokens.append(token)
        ids.append(visitor.id)
    assert room
    async with (
        open_tab(url, f"/r/{room.slug}", token=tokens[0]) as first,
        open_tab(url, f"/r/{room.slug}", token=tokens[0]) as second,
        open_tab(url, f"/r/{room.slug}", token=tokens[1]) as other,
    ):
        told = f'"told":{{"room":"{room.id}","text":"for you"}}'
        await chat.bus.publish(VisitorTold(room.id, ids[0], "for you"))
        for tab in (first, second):
            await wait_until(partial(_has_received, "sidebar", tab, told))
        await chat.bus.publish(VisitorTold(room.id, ids[1], "for the other"))
        await wait_until(partial(_has_received, "sidebar", other, "for the other"))
        assert not _has_received("sidebar", other, "for you")


async def test_mention_is_told_to_the_pages_of_who_is_mentioned(url: str, chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "room of the mention", "Ann who mentions")
    bob, token = await chat.identity.sign_in("Bob mentioned")
    await chat.identity.authenticate(token)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    async with open_tab(url, f"/r/{room.slug}", token=token) as page:
        await wait_until(lambda: _has_received("present", page))
        await chat.messages.post(room.id, visitor_id=ann.id, text="@bob mentioned")
        await wait_until(lambda: _has_received("sidebar", page, f'"mentioned":{{"{room.id}":1}}'))
        await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text="nobody")
        await wait_until(lambda: _has_received("sidebar", page, '"recount":true'))


async def test_change_of_a_room_is_published_to_all_lists_that_show_it(
    url: str, chat: Chat
) -> None:
    ann, token = await chat.identity.sign_in("Ann of the change")
    await chat.identity.authenticate(token)
    room = await chat.rooms.open("room before", visitor_id=ann.id)
    async with (
        open_tab(url, "/", token=token) as lobby,
        open_tab(url, f"/r/{room.slug}", token=token) as page,  # its presence changes the card
    ):
        await wait_until(lambda: _has_received("sidebar", page) and _has_received("card", lobby))
        for tab in (page, lobby):
            tab.received.clear()
        await chat.room_editor.update(
            room.id,
            visitor_id=ann.id,
            name="room after",
            topic="still here",
            message_ttl=timedelta(minutes=10),
        )
        for tab, channel, text in (
            (page, "facts", "room after"),
            (page, "facts", "still here"),
            (page, "facts", '"title":"room after · anonchat"'),
            (page, "facts", "Message, gone in 10 min"),
            (page, "facts", "messages fade after 10 min"),
            (page, "sidebar", "room after"),
            (lobby, "sidebar", "room after"),
            (lobby, "card", "still here"),
        ):
            await wait_until(partial(_has_received, channel, tab, text))


async def test_joins_and_departures_are_sent_to_the_members_alone(url: str, chat: Chat) -> None:
    ann, token = await chat.identity.sign_in("Ann of the door")
    await chat.identity.authenticate(token)
    room = await chat.rooms.open("room of the door", visitor_id=ann.id)
    bob, other_token = await chat.identity.sign_in("Bob of the door")
    await chat.identity.authenticate(other_token)
    async with (
        open_tab(url, f"/r/{room.slug}", token=token) as page,
        open_tab(url, f"/r/{room.slug}", token=other_token) as outside,
    ):
        member = await chat.memberships.join(room.id, visitor_id=bob.id)
        joined = f'{{"author":"{member.author}","name":"Bob of the door","joined":true}}'
        await wait_until(partial(_has_received, "messages", page, f'"moved":{joined}'))
        await chat.memberships.leave(room.id, visitor_id=bob.id)
        left = f'{{"author":"{member.author}","joined":false}}'
        await wait_until(partial(_has_received, "messages", page, f'"moved":{left}'))
        assert not _has_received("messages", outside, "moved")


async def test_edited_message_replaces_its_row_on_pages_that_show_it(url: str, chat: Chat) -> None:
    ann, token = await chat.identity.sign_in("Ann of the edit")
    await chat.identity.authenticate(token)
    room = await chat.rooms.open("room of the edit", visitor_id=ann.id)
    async with open_tab(url, f"/r/{room.slug}", token=token) as page:
        await wait_until(lambda: _has_received("present", page))
        message = await chat.messages.post(room.id, visitor_id=ann.id, text="helo")
        await wait_until(lambda: _has_received("messages", page, "helo"))
        await chat.messages.edit(
            room.id, visitor_id=ann.id, message_id=message.id, text="hello again"
        )
        await wait_until(lambda: _has_received("messages", page, '"put":[["1",null,'))
        assert _has_received("messages", page, "hello again")


async def test_page_that_missed_an_edit_catches_up(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "room of the missed edit", "Ann who missed")
    for text in ("one", "two", "three"):
        await chat.messages.post(room.id, visitor_id=ann.id, text=text)
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    for seq in (1, 2):
        await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=seq, text=f"new {seq}")
    with show_page(chat, visitor_id=ann.id):
        messages = MessageList(room, member)
    news = await messages.catch_up(ClientState(["2", "3"], older=True))
    assert news
    assert [(row.key, "new 2" in row.html) for row in news.put] == [("2", True)]
    assert news.keep == ["2", "3"]


def _has_received(channel: str, page: Tab, text: str = "") -> bool:
    return any(f'"channel":"{channel}"' in frame and text in frame for frame in page.received)
