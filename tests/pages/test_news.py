"""What a screen is told once a second, and what it need not be told."""

import pytest

from anonchat import Chat
from tests.pages.tab import Tab, open_tab, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_how_many_are_here_is_told_as_they_come_and_not_with_every_message(
    url: str, chat: Chat
) -> None:
    ann, token = await chat.identity.come_in("Ann of the news")
    await chat.identity.recognise(token)
    room = await chat.rooms.open("room of the news", visitor_id=ann.id)
    async with open_tab(url, f"/r/{room.slug}", token=token) as page:
        await until(lambda: _hears_of("present", page))
        for text in ("one", "two"):
            page.heard.clear()
            await chat.messages.post(room.id, visitor_id=ann.id, text=text)
            await until(lambda: _hears_of("facts", page))
            assert not _hears_of("present", page)


def _hears_of(channel: str, page: Tab) -> bool:
    return any(f'"channel":"{channel}"' in frame for frame in page.heard)
