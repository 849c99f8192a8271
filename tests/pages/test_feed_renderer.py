"""Updates that pages receive once a second."""

import pytest

from anonchat import Chat
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


def _has_received(channel: str, page: Tab) -> bool:
    return any(f'"channel":"{channel}"' in frame for frame in page.received)
