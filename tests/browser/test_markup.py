"""Markup, URLs and templates in all user input are never executed in a browser.

Escaping is tested with the content security policy (CSP) bypassed, and the CSP is tested with
markup that is not escaped, so each defence is shown to hold alone.
"""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from anonchat import ChatError
from anonchat.text.normalization import normalize_message
from tests.api.api_client import ApiClient
from tests.browser.person import Person
from tests.browser.world import World
from tests.payloads import NAMES, PAYLOADS
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE, IDLE_MAX

PAGE = 200
SETTINGS = {"page_size": str(PAGE)}
_ROOMS = 100
_OPENED_ROOMS = 6

_RECORD_CALLS = """
window.ran = [];
for (const name of ["alert", "confirm", "prompt"]) window[name] = (text) => window.ran.push(text);
"""
_FIND_EXECUTABLE = """() => {
    const found = window.ran.map((text) => `ran: ${text}`);
    const bad = /^[\\s\\u0000-\\u001f]*(javascript|data|vbscript|blob|file):/i;
    for (const element of document.querySelectorAll("body *")) {
        for (const { name, value } of element.attributes) {
            const isAsset = element.tagName === "LINK" || element.tagName === "SCRIPT";
            const isText = ["data-dedup", "data-source"].includes(name);
            if (/^on/i.test(name) || (bad.test(value) && !isText)
                || (name === "style" && /url\\(|import/i.test(value) && !isAsset))
                found.push(`${element.outerHTML.slice(0, 200)}`);
        }
    }
    const expected = ("ARTICLE A B BDI BUTTON DIV H1 I LI P SMALL SPAN TIME "
        + "BLOCKQUOTE BR CODE DEL EM HR OL PRE STRONG UL").split(" ");
    for (const element of document.querySelectorAll("[data-key], [data-key] *")) {
        if (!expected.includes(element.tagName) || element.id || element.getAttribute("name"))
            found.push(`${element.tagName}: ${element.outerHTML.slice(0, 200)}`);
        for (const kind of ["error", "load", "focus", "mouseover", "toggle", "animationstart"])
            element.dispatchEvent(new Event(kind));
    }
    return found.concat(window.ran.map((text) => `ran: ${text}`));
}"""
_INJECT = """(texts) => {
    window.failed = 0;
    document.addEventListener("error", () => window.failed++, true);
    for (const text of texts) {
        const container = document.createElement("div");
        document.body.append(container);
        container.innerHTML = text;
    }
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def author(server_process: ServerProcess) -> AsyncIterator[ApiClient]:
    """Fill the server with visitors, rooms and topics named after the payloads."""
    async with httpx.AsyncClient(
        base_url=f"{server_process.url}/api/v1", timeout=DEADLINE, limits=IDLE_MAX
    ) as http:
        visitors = []
        for name in NAMES:
            response = await http.post("/visitors", json={"nickname": name})
            if response.is_success:  # a similar nickname is taken
                visitors.append(ApiClient(http, response.json()["token"]))
        assert len(visitors) > 30
        eve = visitors[0]
        await eve.open("crowd")
        for visitor in visitors[1:]:
            await visitor.ask("PUT", "/rooms/crowd/membership")
            await visitor.say("crowd", "here I am")
        names = [text for text in PAYLOADS if len(text) <= 60]
        for name, topic in zip(names[:: len(names) // _ROOMS], PAYLOADS, strict=False):
            await eve.call("POST", "/rooms", json={"name": name, "topic": topic})  # may be refused
        yield eve


async def test_markup_in_received_messages_is_shown_as_text(
    world: World, author: ApiClient, room: str
) -> None:
    slug = (await author.open(room))["slug"]
    await _post(author, slug, PAYLOADS[:PAGE])
    ann = await _sign_in(world)
    await ann.open_path(f"/r/{slug}")
    await ann.join_room()
    await expect(ann.log.locator("[data-key]")).to_have_count(PAGE)
    assert await ann.message_texts() == _normalized(PAYLOADS[:PAGE])
    assert await _find_executable(ann) == []
    await _post(author, slug, PAYLOADS[PAGE:])
    last = [*_normalized(PAYLOADS), "the last"][-20:]
    await author.say(slug, "the last")

    async def last_texts() -> list[str]:
        return (await ann.message_texts())[-20:]

    await ann.expect_eventually(last_texts, last)
    assert await _find_executable(ann) == []
    await ann.open_path(f"/r/{slug}")
    await ann.expect_message("the last")
    await ann.log.evaluate("(log) => (log.scrollTop = 0)")
    await expect(ann.log.locator('[data-key="100"]')).to_have_count(1)
    assert await _find_executable(ann) == []


async def test_markup_in_own_messages_and_drafts_is_shown_as_text(world: World, room: str) -> None:
    ann = await _sign_in(world)
    await ann.open_room(room)
    for text in PAYLOADS[:: len(PAYLOADS) // 15]:
        if text.isprintable():
            await ann.post_messages(text)
    assert await _find_executable(ann) == []
    await ann.fill_message(PAYLOADS[0])
    await ann.page.reload()
    await expect(ann.message_input).to_have_value(PAYLOADS[0])
    assert await _find_executable(ann) == []


async def test_markup_in_nicknames_and_rooms_is_shown_as_text(
    world: World, author: ApiClient
) -> None:
    ann = await _sign_in(world)
    cards = ann.region(ann.words.public).get_by_role("listitem")
    await expect(cards.nth(_ROOMS // 2)).to_be_attached()
    assert await _find_executable(ann) == []
    await ann.room_search.fill("<")
    await expect(ann.page.get_by_role("option").nth(1)).to_be_visible()
    assert await _find_executable(ann) == []
    await ann.open_path("/r/crowd")
    assert await _find_executable(ann) == []
    await ann.join_room()
    await expect(ann.members.get_by_role("listitem").nth(20)).to_be_attached()
    assert await _find_executable(ann) == []
    rooms = (await author.ask("GET", "/rooms", params={"limit": 100}))["items"]
    hostile = [room for room in rooms if "<" in room["name"] + room["topic"]]
    for room in hostile[:: len(hostile) // _OPENED_ROOMS]:
        await ann.open_path(f"/r/{room['slug']}")
        assert await _find_executable(ann) == []
        await ann.join_room()
        await ann.expect_connected()
        assert await _find_executable(ann) == []


async def test_markup_in_urls_is_not_executed(world: World) -> None:
    ann = await _sign_in(world)
    ann.ignored_errors = "Failed to load resource"  # 404 responses
    for text in PAYLOADS[:: len(PAYLOADS) // 12]:
        for path in (f"/{quote(text)}", f"/r/{quote(text, '')}", f"/login?next={quote(text, '')}"):
            await ann.open_path(path)
            assert await _find_executable(ann) == []


@pytest.mark.parametrize(("bypass_csp", "least", "most"), [(True, 50, 999), (False, 0, 0)])
async def test_injected_markup_runs_only_without_the_content_security_policy(
    world: World, bypass_csp: bool, least: int, most: int
) -> None:
    ann = await _sign_in(world, bypass_csp=bypass_csp)
    ann.ignored_errors = ".*"  # the payloads cause errors
    await ann.page.evaluate(_INJECT, [text for text in PAYLOADS if "onerror" in text.lower()] * 2)
    await ann.page.wait_for_function("window.failed >= 50")  # each error event would run a handler
    await ann.page.wait_for_function("(least) => window.ran.length >= least", arg=least)
    assert len(await ann.page.evaluate("window.ran")) <= most


async def _sign_in(world: World, *, bypass_csp: bool = True) -> Person:
    ann = await world.person("Ann", bypass_csp=bypass_csp)
    await ann.page.add_init_script(_RECORD_CALLS)
    await ann.sign_in()
    await ann.expect_connected()
    return ann


async def _find_executable(ann: Person) -> list[str]:
    """Return the scripts that ran and the elements or attributes that could run one."""
    found: list[str] = await ann.page.evaluate(_FIND_EXECUTABLE)
    return found


async def _post(author: ApiClient, slug: str, texts: list[str]) -> None:
    for number, text in enumerate(texts):
        dedup_id = f"{number}{text}"[:64]
        extra = {"dedup_id": dedup_id} if dedup_id.isascii() and " " not in dedup_id else {}
        if not dedup_id.isprintable():
            extra = {}
        await author.ask("POST", f"/rooms/{slug}/messages", json={"text": text, **extra})


def _normalized(texts: list[str]) -> list[str]:
    normalized = []
    for text in texts:
        try:
            normalized.append(normalize_message(text))
        except ChatError:
            continue
    return normalized
