"""The pages without scripts: forms, the messages in their frame, and what is refused."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from anonchat import Chat, NeedsConfirmation, Post, Reviewed, Room, Visitor
from anonchat.rates import Rate
from pages.http.auth import SessionAuth
from pages.lite import lobby, log, room
from tests.fakes import FakeClock, make_limit, post_messages, read, running_chat, sign_in
from tests.hostile_texts import HOSTILE_TEXTS
from tests.pages.contexts import make_context

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("web")]

_ORIGIN = "http://chat.localhost"


@dataclass
class PlainSite:
    """A chat with the pages without scripts, and Ann in a room, who uses them."""

    chat: Chat
    clock: FakeClock
    browser: httpx.AsyncClient
    ann: Visitor
    mira: Visitor
    room: Room

    @property
    def path(self) -> str:
        return f"/lite/{self.room.slug}"

    async def post(self, path: str = "", **fields: str) -> httpx.Response:
        """Post a form of the room."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.browser.post(self.path + path, data=fields, headers=headers)

    async def texts(self) -> list[str]:
        """Return what the frame shows, the newest first."""
        page = (await self.browser.get(f"{self.path}/messages")).text
        return re.findall(r'class="text[^"]*" dir="auto">([^<]*)', page)


@asynccontextmanager
async def running_site(folder: Path, **settings: object) -> AsyncIterator[PlainSite]:
    clock = FakeClock()
    async with running_chat(folder, clock, **settings) as chat:
        context = make_context(chat, auth=SessionAuth(chat))
        web = FastAPI()
        for module in (lobby, room, log):
            web.include_router(module.routes(context))
        _, token = await chat.identity.sign_in("Ann")
        ann = await chat.identity.authenticate(token)
        assert ann
        mira = await sign_in(chat, "Mira")
        found = await chat.rooms.open("night train", visitor_id=mira.id)
        await chat.memberships.join(found.id, visitor_id=ann.id)
        transport = httpx.ASGITransport(app=web)
        async with httpx.AsyncClient(transport=transport, base_url=_ORIGIN) as browser:
            browser.cookies.set("anonchat", token)
            yield PlainSite(chat, clock, browser, ann, mira, found)
        context.highlighter.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[PlainSite]:
    async with running_site(tmp_path / "data", page_size=10) as site:
        yield site


def form_id(page: str) -> str:
    """Return the id in the form of a page."""
    (found,) = re.findall(r'name="form" value="([0-9a-f]+)"', page)
    return found


def typed_text(page: str) -> str:
    """Return the text in the form of a page."""
    (found,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    return unescape(found).removeprefix("\n")


async def test_form_sent_twice_posts_once_and_another_text_posts_again(site: PlainSite) -> None:
    form = form_id((await site.browser.get(site.path)).text)
    for text in ("hello", "hello", "hello again"):
        response = await site.post(text=text, form=form)
        assert (response.status_code, response.headers["location"]) == (303, site.path)
    assert await site.texts() == ["hello again", "hello"]
    assert form_id((await site.browser.get(site.path)).text) != form


async def test_refused_text_stays_with_its_form_and_the_reason(site: PlainSite) -> None:
    text = "\n<b>é</b> " + "x" * 4_000
    response = await site.post(text=text, form="f1")
    assert response.status_code == 422
    assert typed_text(response.text) == text
    assert re.search(r'role="alert">[^<]*4000[^<]*</p>', response.text)
    assert 'name="form" value="f1"' in response.text
    assert 'aria-invalid="true"' in response.text
    assert await site.texts() == []


async def test_text_beyond_the_rate_limit_stays_and_the_wait_is_told(
    site: PlainSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = make_limit(Rate(1, timedelta(minutes=1)), site.clock)
    monkeypatch.setattr(site.chat.limits, "posts", limit)
    assert (await site.post(text="one", form="f1")).status_code == 303
    response = await site.post(text="two", form="f2")
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0
    assert typed_text(response.text) == "two"


async def test_warnings_are_shown_with_the_text_until_it_is_confirmed(site: PlainSite) -> None:
    async def doubt(_room: str, _visitor: str, post: Post) -> Reviewed:
        return Reviewed(post, warnings=("That is a phone number.",))

    site.chat.messages.review = doubt
    response = await site.post(text="555 1234", form="f1")
    assert response.status_code == 422
    assert "<li" in response.text
    assert "That is a phone number." in response.text
    assert ">Send anyway</button>" in response.text
    assert typed_text(response.text) == "555 1234"
    assert (await site.post(text="555 1234", form="f1", confirmed="yes")).status_code == 303
    assert await site.texts() == ["555 1234"]
    assert NeedsConfirmation.default in response.text


async def test_message_that_is_gone_when_its_form_is_sent_again_gets_a_new_form(
    site: PlainSite,
) -> None:
    await site.post(text="hello", form="f1")
    (message,) = await site.chat.messages.history(site.room.id, visitor_id=site.ann.id, limit=1)
    await site.chat.messages.delete(site.room.id, visitor_id=site.ann.id, message_id=message.id)
    response = await site.post(text="hello", form="f1")
    assert response.status_code == 422
    assert typed_text(response.text) == "hello"
    await site.post(text="hello", form=form_id(response.text))
    assert await site.texts() == ["hello"]


async def test_only_members_read_and_post(site: PlainSite) -> None:
    await post_messages(site.chat, site.room, site.mira, "for members")
    assert (await site.post("/leave")).headers["location"] == "/lite"
    page = (await site.browser.get(site.path)).text
    assert "<iframe" not in page
    assert ">Join room</button>" in page
    frame = await site.browser.get(f"{site.path}/messages")
    assert frame.status_code == 403
    assert "for members" not in page + frame.text
    refused = await site.post(text="forged", form="f1")
    assert refused.status_code == 403
    assert typed_text(refused.text) == "forged"
    assert await read(site.chat, site.room, site.mira) == ["for members"]
    assert (await site.post("/join")).headers["location"] == site.path
    assert await site.texts() == ["for members"]


async def test_room_with_a_password_is_joined_with_it(site: PlainSite) -> None:
    closed = await site.chat.rooms.create("closed", visitor_id=site.mira.id, password="open sesame")
    response = await site.browser.post("/lite", data={"name": "closed"})
    assert response.headers["location"] == f"/lite/{closed.slug}"
    page = await site.browser.get(f"/lite/{closed.slug}")
    assert 'type="password" name="password"' in page.text
    for password in ("", "open says me"):
        refused = await site.browser.post(f"/lite/{closed.slug}/join", data={"password": password})
        assert refused.status_code == 403
        assert re.search(r'role="alert">[^<]+<', refused.text)
    await site.browser.post(f"/lite/{closed.slug}/join", data={"password": "open sesame"})
    assert await site.chat.memberships.is_member(closed.id, site.ann.id)


async def test_who_has_to_knock_comes_in_when_let_in(site: PlainSite) -> None:
    chat, mira = site.chat, site.mira
    closed = await chat.rooms.create("closed", visitor_id=mira.id)
    await chat.room_editor.update(closed.id, visitor_id=mira.id, asks=True)
    page = await site.browser.get(f"/lite/{closed.slug}")
    assert ">Ask to come in</button>" in page.text
    await site.browser.post(f"/lite/{closed.slug}/join", data={"password": ""})
    page = await site.browser.get(f"/lite/{closed.slug}")
    assert "Wait here until you are let in." in page.text
    assert not await chat.memberships.is_member(closed.id, site.ann.id)


@pytest.mark.parametrize("path", ["", "/join", "/leave"])
async def test_forms_of_the_forgotten_lead_to_the_login_page_and_back(
    site: PlainSite, path: str
) -> None:
    await site.chat.identity.forget(site.ann.id)
    response = await site.post(path, text="hello", form="f1")
    assert response.status_code == 303
    assert response.headers["location"] == f"/login?next={site.path}"
    frame = await site.browser.get(f"{site.path}/messages")
    assert frame.status_code == 422
    assert 'target="_top"' in frame.text


async def test_expired_messages_are_absent(site: PlainSite) -> None:
    post = Post("soon gone", ttl=timedelta(minutes=1))
    await site.chat.messages.post(site.room.id, visitor_id=site.mira.id, post=post)
    await post_messages(site.chat, site.room, site.mira, "stays")
    page = (await site.browser.get(f"{site.path}/messages")).text
    assert "disappears in 1 min" in page
    site.clock.advance(timedelta(minutes=1))
    assert await site.texts() == ["stays"]


async def test_messages_are_loaded_again_earlier_if_one_disappears_earlier(
    site: PlainSite,
) -> None:
    for left, seconds in ((60, 20), (12, 12), (3, 5)):
        post = Post("soon gone", ttl=timedelta(minutes=1))
        await site.chat.messages.post(site.room.id, visitor_id=site.mira.id, post=post)
        site.clock.advance(timedelta(seconds=60 - left))
        page = (await site.browser.get(f"{site.path}/messages")).text
        assert f'<meta http-equiv="refresh" content="{seconds}">' in page
        site.clock.advance(timedelta(minutes=1))


async def test_older_messages_are_paged(site: PlainSite) -> None:
    texts = [str(number) for number in range(1, 26)]
    await post_messages(site.chat, site.room, site.mira, *texts)
    shown, address = [], f"{site.path}/messages"
    while address:
        page = (await site.browser.get(address)).text
        shown += re.findall(r'class="text[^"]*" dir="auto">([^<]*)', page)
        older = re.findall(r'href="(lite/[^"]*before=\d+)"', page)
        address = f"/{older[0]}" if older else ""
    assert shown == texts[::-1]


async def test_what_the_frame_has_shown_is_read(site: PlainSite) -> None:
    await post_messages(site.chat, site.room, site.mira, "one", "two")
    assert "2 unread messages" in (await site.browser.get("/lite")).text
    await site.texts()
    assert "unread" not in (await site.browser.get("/lite")).text


async def test_reply_quotes_the_message_that_it_answers_while_it_lives(site: PlainSite) -> None:
    chat, room_id = site.chat, site.room.id
    asked = await chat.messages.post(
        room_id, visitor_id=site.mira.id, text="||Cid||, who <b>is</b> there?"
    )
    await post_messages(chat, site.room, site.mira, *map(str, range(10)))  # it is on another page
    answer = Post("me", reply_to=asked.id)
    await chat.messages.post(room_id, visitor_id=site.ann.id, post=answer)
    page = (await site.browser.get(f"{site.path}/messages")).text
    assert "In reply to Mira: ▒▒▒, who &lt;b&gt;is&lt;/b&gt; there?" in page
    await chat.messages.delete(room_id, visitor_id=site.mira.id, message_id=asked.id)
    page = (await site.browser.get(f"{site.path}/messages")).text
    assert "In reply to a message that is gone" in page
    assert "there?" not in page


async def test_edits_reactions_and_markdown_are_shown(site: PlainSite) -> None:
    chat, room_id, ann = site.chat, site.room.id, site.ann.id
    message = await chat.messages.post(room_id, visitor_id=ann, text="helo")
    await chat.messages.edit(
        room_id, visitor_id=ann, message_id=message.id, text="*hello* ||you||\n```python\nx\n```"
    )
    await chat.messages.react(
        room_id, visitor_id=site.mira.id, message_id=message.id, emoji="👍", on=True
    )
    page = (await site.browser.get(f"{site.path}/messages")).text
    for part in ("<em>hello</em>", 'class="spoiler"', "<pre>", ">edited<", ">👍 1<"):
        assert part in page
    assert "helo" not in page


async def test_texts_of_visitors_are_escaped(site: PlainSite) -> None:
    hostile = "</textarea></title><script>alert(1)</script>\0form\0"
    await site.chat.rooms.create("<u>room</u>", visitor_id=site.mira.id, topic="<u>topic</u>")
    pages = [
        await site.post(text=f"/none {hostile}", form=hostile),
        await site.browser.post("/lite", data={"name": f"{hostile * 40}"}),
        await site.browser.get("/lite"),
    ]
    for page in pages:
        assert "<script" not in page.text
        assert "<u>" not in page.text
    assert pages[0].text.count("</textarea>") == 1


async def test_hostile_messages_are_shown(site: PlainSite) -> None:
    for text in HOSTILE_TEXTS.values():
        await site.post(text=text.encode(errors="replace").decode(), form="f1")
        page = await site.browser.get(f"{site.path}/messages")
        assert page.status_code == 200
        assert "<script" not in page.text


async def test_lobby_finds_and_creates_rooms_and_lists_own_and_public_ones(
    site: PlainSite,
) -> None:
    await site.chat.rooms.create("secret den", visitor_id=site.mira.id, listed=False)
    other = await site.chat.rooms.open("комната", visitor_id=site.mira.id)
    page = (await site.browser.get("/lite")).text
    assert "secret den" not in page
    own, public = page.split("Public rooms")
    assert "night train" in own
    assert "комната" not in own
    for name in ("night train", "комната"):
        assert name in public
    (link,) = re.findall(r'href="(lite/[^"]*)"(?:(?!href).)*комната', public)
    assert "Join room" in (await site.browser.get(f"/{link}")).text
    for name in ("комната", "Комната"):
        response = await site.browser.post("/lite", data={"name": name})
        assert response.headers["location"] == f"/{link}"
    assert await site.chat.memberships.is_member(other.id, site.ann.id)
    made = await site.browser.post("/lite", data={"name": "a new one"})
    assert made.headers["location"] == "/lite/a-new-one"
    refused = await site.browser.post("/lite", data={"name": " "})
    assert refused.status_code == 422
    assert 'role="alert">Please' in refused.text


async def test_commands_run_as_in_the_app(site: PlainSite) -> None:
    response = await site.post(text="/nothing", form="f1")
    assert response.status_code == 404
    assert typed_text(response.text) == "/nothing"
    assert (await site.post(text="//me", form="f2")).status_code == 303
    assert await site.texts() == ["/me"]


@pytest.mark.parametrize("body", [b"\xff", b"text=a&text=b", b"&".join([b"a=b"] * 11)])
async def test_malformed_forms_are_refused(site: PlainSite, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    response = await site.browser.post(site.path, content=body, headers=headers)
    assert response.status_code == 422
    assert (await site.browser.post(site.path, json={"text": "a"})).status_code == 422
    assert await site.texts() == []


@pytest.mark.parametrize("before", ["0", "-1", "x", "9" * 30, "%00"])
async def test_forged_positions_show_the_newest_messages(site: PlainSite, before: str) -> None:
    await post_messages(site.chat, site.room, site.mira, "hello")
    page = await site.browser.get(f"{site.path}/messages?before={before}")
    assert page.status_code == 200
    assert ">hello<" in page.text


async def test_message_is_opened_once_by_its_form_and_its_text_is_nowhere_else(
    site: PlainSite,
) -> None:
    timur = await sign_in(site.chat, "Timur")
    await site.chat.memberships.join(site.room.id, visitor_id=timur.id)
    post = Post("**under** the mat", once=True)
    message = await site.chat.messages.post(site.room.id, visitor_id=site.mira.id, post=post)
    frame = (await site.browser.get(f"{site.path}/messages")).text
    assert "Open once</button>" in frame
    assert f'name="seq" value="{message.seq}"' in frame
    assert "mat" not in frame.partition("<body")[2]
    opened = await site.post("/opening", seq=str(message.seq))
    assert "<strong>under</strong> the mat" in opened.text
    (seconds,) = re.findall(r'"refresh" content="([0-9]+); url=lite/', opened.text)
    assert int(seconds) == 24 * 60 * 60
    again = await site.post("/opening", seq=str(message.seq))
    assert again.status_code == 403
    assert "You have opened it already." in again.text
    frame = (await site.browser.get(f"{site.path}/messages")).text
    assert "You have opened it." in frame
    for seq in ("", "x", "99"):
        assert (await site.post("/opening", seq=seq)).status_code == 404
    own = Post("of Ann", once=True)
    await site.chat.messages.post(site.room.id, visitor_id=site.ann.id, post=own)
    frame = (await site.browser.get(f"{site.path}/messages")).text
    assert "Once: opened by 0 of 2" in frame
    await site.chat.memberships.leave(site.room.id, visitor_id=site.ann.id)
    assert (await site.post("/opening", seq=str(message.seq))).status_code == 403
