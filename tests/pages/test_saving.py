"""The files that visitors save: for members only, and of transcripts for who has asked."""

import httpx
import pytest

from anonchat import Chat

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _sign_in(browser: httpx.AsyncClient, chat: Chat, nickname: str) -> str:
    """Sign in; return the id of the visitor."""
    visitor, token = await chat.identity.sign_in(nickname)
    browser.cookies.set("anonchat", token)
    return visitor.id


async def test_own_messages_are_a_file_that_is_not_stored(
    browser: httpx.AsyncClient, chat: Chat
) -> None:
    ann = await _sign_in(browser, chat, "Saving Ann")
    room = await chat.rooms.open("архив", visitor_id=ann)
    await chat.messages.post(room.id, visitor_id=ann, text="<script>mine</script>")
    response = await browser.get(f"/r/{room.slug}/export?format=text")
    assert response.text.endswith("Saving Ann: <script>mine</script>\n")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["content-disposition"].startswith("attachment;")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    response = await browser.get(f"/r/{room.slug}/export?format=json")
    assert [each["text"] for each in response.json()["messages"]] == ["<script>mine</script>"]


async def test_only_members_get_files(browser: httpx.AsyncClient, chat: Chat) -> None:
    ann = await _sign_in(browser, chat, "Saving Ada")
    room = await chat.rooms.open("closed archive", visitor_id=ann)
    await chat.messages.post(room.id, visitor_id=ann, text="secret")
    question = await chat.transcripts.ask(room.id, visitor_id=ann)
    paths = [f"/r/{room.slug}/export", f"/r/{room.slug}/transcripts/{question.id}"]
    assert "secret" in (await browser.get(paths[1])).text
    ben = await _sign_in(browser, chat, "Saving Ben")
    for path in paths:
        response = await browser.get(path)
        assert response.status_code == 403
        assert "Only members can do that" in response.text
        assert "secret" not in response.text
    await chat.memberships.join(room.id, visitor_id=ben)
    assert (await browser.get(paths[1])).status_code == 404
    browser.cookies.clear()
    for path in paths:
        response = await browser.get(path)
        assert response.status_code == 303
        assert response.headers["location"] == f"/login?next=/r/{room.slug}"
