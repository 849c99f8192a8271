"""A room with a thousand messages: the page holds a stretch of it, wherever one reads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.api.program import Program
from tests.browser.house import House
from tests.browser.person import BROKEN_LINE, Person
from tests.browser.world import World

CAP = 300
SAID = 1_000
ROOM = "the long room"
_AT_ONCE = 20
_FAR = 500
_STEPS = 80
_TO_END = "(log) => (log.scrollTop = log.scrollHeight)"
_LONG = " and so it goes on, longer than fits on one line of a screen" * 4
# Scrolls by steps of nearly a screen; notes it if a row in view moves besides, or the page grows.
_WANDER = """async (log, [way, wanted, cap]) => {
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const rows = () => [...log.querySelectorAll("[data-key]")];
    const troubles = [];
    let held = null;
    for (let still = 0; still < 200; still += 1) {
        const all = rows();
        if (all.length > cap) troubles.push(`${all.length} rows`);
        if (held && !held.row.isConnected) troubles.push(`${held.row.dataset.key} is gone`);
        else if (held && Math.abs(held.row.getBoundingClientRect().top - held.top) > 2)
            troubles.push(`${held.row.dataset.key} moved from ${held.top}`);
        if (all.some((row) => row.dataset.key === wanted)) return troubles;
        const box = log.getBoundingClientRect();
        const before = log.scrollTop;
        log.scrollBy(0, way * box.height * 0.8);
        if (log.scrollTop !== before) still = 0;
        const row = all.find((one) => one.getBoundingClientRect().bottom > box.top);
        held = {row, top: row.getBoundingClientRect().top};
        await frame();
        await frame();
    }
    throw new Error(`no way to ${wanted}`);
}"""


class _Crowd:
    """Says many things in one room, at once and through the API."""

    def __init__(self, program: Program, slug: str) -> None:
        self.living: list[int] = []
        self._program = program
        self.slug = slug

    @property
    def last(self) -> int:
        """The last message."""
        return self.living[-1]

    async def says(self, *texts: str) -> None:
        """Say these things, in any order."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def say(text: str) -> Any:
            async with gate:
                return (await self._program.say(self.slug, text))[0]

        said = await asyncio.gather(*map(say, texts))
        self._ids = {message["seq"]: message["id"] for message in said}
        self.living += sorted(self._ids)

    async def takes_back(self, seq: int) -> None:
        """Delete one of the messages that were said last."""
        path = f"/rooms/{self.slug}/messages/{self._ids[seq]}"
        await self._program.ask("DELETE", path)
        self.living.remove(seq)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowd(house: House) -> AsyncIterator[_Crowd]:
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v1", timeout=60) as http:
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Crowd"})
        program = Program(http, visitor["token"])
        crowd = _Crowd(program, (await program.open(ROOM))["slug"])
        await crowd.says(*(f"line {n}" + (_LONG if n % 7 == 0 else "") for n in range(SAID)))
        yield crowd


async def test_one_may_read_up_to_the_first_message_and_down_again(
    world: World, crowd: _Crowd
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.is_connected()
    assert await _wanders(ann, up_to=1) == []
    await expect(_row(ann, crowd.last)).to_have_count(0)
    assert await _wanders(ann, down_to=crowd.last) == []
    await expect(_row(ann, 1)).to_have_count(0)
    await ann.log.evaluate(_TO_END)
    await crowd.says("and then")
    await expect(ann.message("and then")).to_be_in_viewport()
    await _is_whole(ann, crowd)


async def test_who_reads_far_up_is_told_of_what_is_new_and_gets_there_with_one_click(
    world: World, crowd: _Crowd
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.is_connected()
    await _wanders(ann, up_to=crowd.last - _FAR)
    await expect(ann.button("New messages")).to_be_hidden()
    await expect(ann.button("To the latest")).to_be_visible()
    shown, top = await _keys(ann), await _top(ann)
    await crowd.says("news")
    await expect(ann.button("New messages")).to_be_visible()
    assert [await _keys(ann), await _top(ann)] == [shown, top]
    await ann.button("New messages").click()
    await expect(ann.message("news")).to_be_in_viewport()
    await expect(ann.button("New messages")).to_be_hidden()
    await expect(ann.button("To the latest")).to_be_hidden()
    await _is_whole(ann, crowd)


async def test_who_writes_while_reading_far_up_sees_it_at_the_end(
    world: World, crowd: _Crowd
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.is_connected()
    await _wanders(ann, up_to=crowd.last - _FAR)
    await ann.says("where were we?")
    crowd.living.append(crowd.last + 1)
    await expect(ann.message("where were we?")).to_be_in_viewport()
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await _is_whole(ann, crowd)


async def test_a_cut_while_reading_far_up_tears_nobody_away(world: World, crowd: _Crowd) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    await ann.opens(ROOM)
    await ann.is_connected()
    await _wanders(ann, up_to=crowd.last - _FAR)
    shown, top = await _keys(ann), await _top(ann)
    wire.cut()
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await crowd.says("news of that time")
    wire.mend()
    await expect(ann.button("New messages")).to_be_visible()
    assert [await _keys(ann), await _top(ann)] == [shown, top]
    assert await _wanders(ann, down_to=crowd.last) == []
    await ann.log.evaluate(_TO_END)
    await expect(ann.button("New messages")).to_be_hidden()
    await _is_whole(ann, crowd)


async def test_the_latest_that_was_wanted_during_a_cut_comes_without_a_hole(
    world: World, crowd: _Crowd
) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    await ann.opens(ROOM)
    await ann.is_connected()
    await _wanders(ann, up_to=crowd.last - _FAR)
    wire.cut()
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await ann.button("To the latest").click()
    await crowd.says(*(f"unheard {number}" for number in range(130)))
    wire.mend()
    await expect(_row(ann, crowd.last)).to_be_in_viewport()
    await _is_whole(ann, crowd)


async def test_what_lies_below_the_first_unread_stays_unread_until_it_is_reached(
    world: World, crowd: _Crowd
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.is_connected()
    await ann.goes_to("/")
    await crowd.says(*(f"meanwhile {number}" + _LONG for number in range(40)))
    lobby, own = ann.page, ann.own_room(ROOM)
    await expect(own).to_contain_text("40 unread")
    await ann.opens_tab()
    await ann.goes_to(f"/r/{crowd.slug}")
    await ann.is_connected()
    await expect(ann.log.get_by_text("New", exact=True)).to_be_in_viewport()
    await expect(ann.button("New messages")).to_be_hidden()
    await crowd.says("one more")
    await expect(ann.button("New messages")).to_be_visible()
    await expect(own).to_contain_text("41 unread")
    await ann.log.evaluate(_TO_END)
    await ann.turns_to(lobby)
    await expect(own.get_by_text("unread")).to_be_hidden()


async def test_the_first_of_more_unread_than_a_page_holds_is_found_further_up(
    world: World, crowd: _Crowd
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.is_connected()
    await ann.goes_to("/")
    await crowd.says(*(f"long ago {number}" for number in range(90)))
    await ann.opens(ROOM)
    await ann.is_connected()
    await _wanders(ann, up_to=crowd.living[-95])
    below = ann.log.locator(".divider.fresh + [data-key]")
    await expect(below).to_have_attribute("data-key", str(crowd.living[-90]))


async def test_what_was_taken_back_while_it_was_on_no_page_does_not_come_back(
    world: World, crowd: _Crowd
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await crowd.says("never mind", "but this")
    await expect(_row(ann, crowd.last)).to_have_count(1)
    await _wanders(ann, up_to=crowd.last - _FAR)
    await crowd.takes_back(crowd.last - 1)
    await _wanders(ann, down_to=crowd.last)
    await _is_whole(ann, crowd)


async def test_the_keys_lead_beyond_what_is_on_the_page(world: World, crowd: _Crowd) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.is_connected()
    await ann.log.focus()
    for seq in reversed(crowd.living[-_STEPS:]):
        await expect(_row(ann, seq)).to_have_count(1)
        await ann.page.keyboard.press("ArrowUp")
        await expect(_row(ann, seq)).to_be_focused()
    await expect(_row(ann, crowd.living[-_STEPS])).to_be_in_viewport()


async def _wanders(person: Person, *, up_to: int = 0, down_to: int = 0) -> Any:
    """Scroll until a message is on the page; return everything that was not calm on the way."""
    way = -1 if up_to else 1
    return await person.log.evaluate(_WANDER, [way, str(up_to or down_to), CAP])


async def _is_whole(person: Person, crowd: _Crowd) -> None:
    """See the newest messages without a gap."""

    async def look() -> bool:
        keys = await _keys(person)
        return len(keys) > 0 and keys == crowd.living[-len(keys) :]

    await person.eventually(look, True)


async def _keys(person: Person) -> list[int]:
    keys: list[int] = await person.log.evaluate(
        """(log) => [...log.querySelectorAll("[data-key]")].map((row) => Number(row.dataset.key))"""
    )
    return keys


async def _top(person: Person) -> object:
    """Return which message is topmost, and how far it is from the top."""
    return await person.log.evaluate(
        """(log) => { const top = log.getBoundingClientRect().top;
        const row = [...log.querySelectorAll("[data-key]")]
            .find((one) => one.getBoundingClientRect().bottom > top);
        return [row.dataset.key, row.getBoundingClientRect().top]; }"""
    )


def _row(person: Person, seq: int) -> Locator:
    return person.log.locator(f"[data-key='{seq}']")
