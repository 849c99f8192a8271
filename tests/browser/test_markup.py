"""Markup, addresses and templates in everything that people write, in a browser: nothing runs.

The browser has been told to disregard the policy of our pages, and the policy is tried on what was
not escaped: each is seen to hold alone.
"""

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from anonchat import ChatError
from anonchat.text import tidy_message
from tests.api.program import Program
from tests.browser.house import PATIENCE, House
from tests.browser.person import Person
from tests.browser.world import World
from tests.payloads import NAMES, PAYLOADS

PAGE = 200
SETTINGS = {"page_size": str(PAGE)}
_ROOMS = 100
_LOOKED_INTO = 6

_PROBE = """
window.ran = [];
for (const name of ["alert", "confirm", "prompt"]) window[name] = (what) => window.ran.push(what);
"""
_LOOK = """() => {
    const found = window.ran.map((what) => `ran: ${what}`);
    const bad = /^[\\s\\u0000-\\u001f]*(javascript|data|vbscript|blob|file):/i;
    for (const element of document.querySelectorAll("body *")) {
        for (const { name, value } of element.attributes) {
            const is_ours = element.tagName === "LINK" || element.tagName === "SCRIPT";
            if (/^on/i.test(name) || (bad.test(value) && name !== "data-dedup")
                || (name === "style" && /url\\(|import/i.test(value) && !is_ours))
                found.push(`${element.outerHTML.slice(0, 200)}`);
        }
    }
    const ours = "ARTICLE A B BDI BUTTON DIV I LI P SMALL SPAN TIME".split(" ");
    for (const element of document.querySelectorAll("[data-key], [data-key] *")) {
        if (!ours.includes(element.tagName) || element.id || element.getAttribute("name"))
            found.push(`${element.tagName}: ${element.outerHTML.slice(0, 200)}`);
        for (const kind of ["error", "load", "focus", "mouseover", "toggle", "animationstart"])
            element.dispatchEvent(new Event(kind));
    }
    return found.concat(window.ran.map((what) => `ran: ${what}`));
}"""
_INJECT = """(texts) => {
    window.failed = 0;
    document.addEventListener("error", () => window.failed++, true);
    for (const text of texts) {
        const place = document.createElement("div");
        document.body.append(place);
        place.innerHTML = text;
    }
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowd(house: House) -> AsyncIterator[Program]:
    """Fill the house: people, rooms and topics that are called so."""
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v1", timeout=PATIENCE) as http:
        visitors = []
        for name in NAMES:
            answer = await http.post("/visitors", json={"nickname": name})
            if answer.is_success:  # some look like others
                visitors.append(Program(http, answer.json()["token"]))
        assert len(visitors) > 30
        eve = visitors[0]
        await eve.open("crowd")
        for visitor in visitors[1:]:
            await visitor.ask("PUT", "/rooms/crowd/membership")
            await visitor.say("crowd", "here I am")
        names = [text for text in PAYLOADS if len(text) <= 60]
        for name, topic in zip(names[:: len(names) // _ROOMS], PAYLOADS, strict=False):
            await eve.call("POST", "/rooms", json={"name": name, "topic": topic})  # or refused
        yield eve


async def test_whatever_is_posted_is_text(world: World, crowd: Program, room: str) -> None:
    slug = (await crowd.open(room))["slug"]
    await _post(crowd, slug, PAYLOADS[:PAGE])
    ann = await _arrives(world)
    await ann.goes_to(f"/r/{slug}")
    await ann.joins()
    await expect(ann.log.locator("[data-key]")).to_have_count(PAGE)
    assert await ann.hears() == _kept(PAYLOADS[:PAGE])
    assert await _look(ann) == []
    await _post(crowd, slug, PAYLOADS[PAGE:])
    last = [*_kept(PAYLOADS), "the last"][-20:]
    await crowd.say(slug, "the last")

    async def hears_last() -> list[str]:
        return (await ann.hears())[-20:]

    await ann.eventually(hears_last, last)
    assert await _look(ann) == []
    await ann.goes_to(f"/r/{slug}")
    await ann.sees("the last")
    await ann.log.evaluate("(log) => (log.scrollTop = 0)")
    await expect(ann.log.locator('[data-key="100"]')).to_have_count(1)
    assert await _look(ann) == []


async def test_whatever_one_writes_oneself_is_text(world: World, room: str) -> None:
    ann = await _arrives(world)
    await ann.opens(room)
    for text in PAYLOADS[:: len(PAYLOADS) // 15]:
        if text.isprintable():
            await ann.says(text)
    assert await _look(ann) == []
    await ann.types(PAYLOADS[0])
    await ann.page.reload()
    await expect(ann.box).to_have_value(PAYLOADS[0])
    assert await _look(ann) == []


async def test_whatever_people_and_rooms_are_called_is_text(world: World, crowd: Program) -> None:
    ann = await _arrives(world)
    cards = ann.region(ann.words.public).get_by_role("listitem")
    await expect(cards.nth(_ROOMS // 2)).to_be_attached()
    assert await _look(ann) == []
    await ann.finder.fill("<")
    await expect(ann.page.get_by_role("option").nth(1)).to_be_visible()
    assert await _look(ann) == []
    await ann.goes_to("/r/crowd")
    assert await _look(ann) == []
    await ann.joins()
    await expect(ann.members.get_by_role("listitem").nth(20)).to_be_attached()
    assert await _look(ann) == []
    rooms = (await crowd.ask("GET", "/rooms", params={"limit": 100}))["items"]
    hostile = [each for each in rooms if "<" in each["name"] + each["topic"]]
    for each in hostile[:: len(hostile) // _LOOKED_INTO]:
        await ann.goes_to(f"/r/{each['slug']}")
        assert await _look(ann) == []
        await ann.joins()
        await ann.is_connected()
        assert await _look(ann) == []


async def test_whatever_stands_in_an_address_is_text(world: World) -> None:
    ann = await _arrives(world)
    ann.forgives = "Failed to load resource"  # they lead nowhere
    for text in PAYLOADS[:: len(PAYLOADS) // 12]:
        for path in (f"/{quote(text)}", f"/r/{quote(text, '')}", f"/login?next={quote(text, '')}"):
            await ann.goes_to(path)
            assert await _look(ann) == []


@pytest.mark.parametrize(("disregards", "least", "most"), [(True, 50, 999), (False, 0, 0)])
async def test_what_is_no_text_runs_unless_the_policy_forbids_it(
    world: World, disregards: bool, least: int, most: int
) -> None:
    ann = await _arrives(world, disregards=disregards)
    ann.forgives = ".*"  # it is full of errors
    await ann.page.evaluate(_INJECT, [text for text in PAYLOADS if "onerror" in text.lower()] * 2)
    await ann.page.wait_for_function("window.failed >= 50")  # each of them was to run something
    await ann.page.wait_for_function("(least) => window.ran.length >= least", arg=least)
    assert len(await ann.page.evaluate("window.ran")) <= most


async def _arrives(world: World, *, disregards: bool = True) -> Person:
    ann = await world.person("Ann", bypass_csp=disregards)
    await ann.page.add_init_script(_PROBE)
    await ann.comes_in()
    await ann.is_connected()
    return ann


async def _look(ann: Person) -> list[str]:
    """Return whatever ran, or could."""
    found: list[str] = await ann.page.evaluate(_LOOK)
    return found


async def _post(crowd: Program, slug: str, texts: list[str]) -> None:
    for number, text in enumerate(texts):
        dedup_id = f"{number}{text}"[:64]
        more = {"dedup_id": dedup_id} if dedup_id.isascii() and " " not in dedup_id else {}
        if not dedup_id.isprintable():
            more = {}
        await crowd.ask("POST", f"/rooms/{slug}/messages", json={"text": text, **more})


def _kept(texts: list[str]) -> list[str]:
    kept = []
    for text in texts:
        try:
            kept.append(tidy_message(text))
        except ChatError:
            continue
    return kept
