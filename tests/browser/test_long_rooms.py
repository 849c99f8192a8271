"""A room with a thousand messages: the page holds a window around the scroll position."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.api.api_client import ApiClient
from tests.browser.person import CONNECTION_ERRORS, Person
from tests.browser.world import World
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE, IDLE_MAX

ROWS_MAX = 300
MESSAGES = 1_000
ROOM = "the long room"
_CONCURRENT_POSTS = 20
_SCROLL_BACK = 500
_KEY_PRESSES = 80
_SCROLL_TO_END = "(log) => (log.scrollTop = log.scrollHeight)"
_LONG_SUFFIX = " and so it goes on, longer than fits on one line of a screen" * 4
# Scrolls in steps of 0.8 viewports; reports rows that move on their own, and too many rows.
_SCROLL_TO_ROW = """async (log, [direction, wanted, rowsMax]) => {
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const rows = () => [...log.querySelectorAll("[data-key]")];
    const faults = [];
    let anchor = null;
    for (let idleSteps = 0; idleSteps < 200; idleSteps += 1) {
        const all = rows();
        if (all.length > rowsMax) faults.push(`${all.length} rows`);
        if (anchor && !anchor.row.isConnected) faults.push(`${anchor.row.dataset.key} is gone`);
        else if (anchor && Math.abs(anchor.row.getBoundingClientRect().top - anchor.top) > 2)
            faults.push(`${anchor.row.dataset.key} moved from ${anchor.top}`);
        if (all.some((row) => row.dataset.key === wanted)) return faults;
        const box = log.getBoundingClientRect();
        const before = log.scrollTop;
        log.scrollBy(0, direction * box.height * 0.8);
        if (log.scrollTop !== before) idleSteps = 0;
        const row = all.find((one) => one.getBoundingClientRect().bottom > box.top);
        anchor = {row, top: row.getBoundingClientRect().top};
        await frame();
        await frame();
    }
    throw new Error(`${wanted} was not reached`);
}"""


class _BulkPoster:
    """Posts many messages in one room concurrently through the API."""

    def __init__(self, program: ApiClient, slug: str) -> None:
        self.seqs: list[int] = []
        self._program = program
        self.slug = slug

    @property
    def last(self) -> int:
        """The sequence number of the last message."""
        return self.seqs[-1]

    async def post(self, *texts: str) -> None:
        """Post the messages, in any order."""
        semaphore = asyncio.Semaphore(_CONCURRENT_POSTS)

        async def post_one(text: str) -> Any:
            async with semaphore:
                return (await self._program.say(self.slug, text))[0]

        messages = await asyncio.gather(*map(post_one, texts))
        self._ids = {message["seq"]: message["id"] for message in messages}
        self.seqs += sorted(self._ids)

    async def delete(self, seq: int) -> None:
        """Delete a message of the last `post`."""
        path = f"/rooms/{self.slug}/messages/{self._ids[seq]}"
        await self._program.ask("DELETE", path)
        self.seqs.remove(seq)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bulk_poster(server_process: ServerProcess) -> AsyncIterator[_BulkPoster]:
    async with httpx.AsyncClient(
        base_url=f"{server_process.url}/api/v1", timeout=DEADLINE, limits=IDLE_MAX
    ) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Crowd"})
        program = ApiClient(http, visitor["token"])
        bulk_poster = _BulkPoster(program, (await program.open(ROOM))["slug"])
        await bulk_poster.post(
            *(f"line {n}" + (_LONG_SUFFIX if n % 7 == 0 else "") for n in range(MESSAGES))
        )
        yield bulk_poster


async def test_log_scrolls_to_the_first_message_and_back(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    assert await _scroll_to_row(ann, up_to=1) == []
    await expect(_row(ann, bulk_poster.last)).to_have_count(0)
    assert await _scroll_to_row(ann, down_to=bulk_poster.last) == []
    await expect(_row(ann, 1)).to_have_count(0)
    await ann.log.evaluate(_SCROLL_TO_END)
    await bulk_poster.post("and then")
    await expect(ann.message("and then")).to_be_in_viewport()
    await _expect_no_gap(ann, bulk_poster)


async def test_button_to_the_latest_counts_new_messages_and_scrolls_to_the_newest(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    await _scroll_to_row(ann, up_to=bulk_poster.last - _SCROLL_BACK)
    await expect(ann.to_latest).to_have_text("To the latest")
    keys, top = await _keys(ann), await _topmost_row(ann)
    await bulk_poster.post("news")
    await expect(ann.to_latest).to_have_text("To the latest · 1 new")
    await bulk_poster.post("a slip", "more news")
    await expect(ann.to_latest).to_have_text("To the latest · 3 new")
    await bulk_poster.delete(bulk_poster.seqs[-2])
    await expect(ann.to_latest).to_have_text("To the latest · 2 new")
    assert [await _keys(ann), await _topmost_row(ann)] == [keys, top]
    await ann.to_latest.click()
    await expect(ann.message("news")).to_be_in_viewport()
    await expect(ann.to_latest).to_be_hidden()
    await expect(ann.to_first_unread).to_be_hidden()
    await _expect_no_gap(ann, bulk_poster)


async def test_escape_scrolls_to_the_newest_and_keeps_the_focus(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    await bulk_poster.post("the newest")
    for place in (ann.message_input, ann.log):
        await _scroll_to_row(ann, up_to=bulk_poster.last - _SCROLL_BACK)
        await expect(ann.message("the newest")).not_to_be_in_viewport()
        await place.focus()
        await ann.page.keyboard.press("Escape")
        await expect(ann.message("the newest")).to_be_in_viewport()
        await expect(place).to_be_focused()


async def test_posting_while_scrolled_up_scrolls_to_the_end(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    await _scroll_to_row(ann, up_to=bulk_poster.last - _SCROLL_BACK)
    await ann.post_messages("where were we?")
    bulk_poster.seqs.append(bulk_poster.last + 1)
    await expect(ann.message("where were we?")).to_be_in_viewport()
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await _expect_no_gap(ann, bulk_poster)


async def test_reconnection_while_scrolled_up_keeps_the_scroll_position(
    world: World, bulk_poster: _BulkPoster
) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(ROOM)
    await ann.expect_connected()
    await _scroll_to_row(ann, up_to=bulk_poster.last - _SCROLL_BACK)
    keys, top = await _keys(ann), await _topmost_row(ann)
    wire.disconnect()
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await bulk_poster.post("news of that time")
    wire.restore()
    await expect(ann.to_latest).to_have_text("To the latest · 1 new")
    assert [await _keys(ann), await _topmost_row(ann)] == [keys, top]
    assert await _scroll_to_row(ann, down_to=bulk_poster.last) == []
    await ann.log.evaluate(_SCROLL_TO_END)
    await expect(ann.to_latest).to_be_hidden()
    await _expect_no_gap(ann, bulk_poster)


async def test_jump_to_latest_while_disconnected_leaves_no_gap(
    world: World, bulk_poster: _BulkPoster
) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(ROOM)
    await ann.expect_connected()
    await _scroll_to_row(ann, up_to=bulk_poster.last - _SCROLL_BACK)
    wire.disconnect()
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await ann.to_latest.click()
    await bulk_poster.post(*(f"unheard {number}" for number in range(130)))
    wire.restore()
    await expect(_row(ann, bulk_poster.last)).to_be_in_viewport()
    await _expect_no_gap(ann, bulk_poster)


async def test_messages_below_the_first_unread_stay_unread_until_reached(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    await ann.open_path("/")
    await bulk_poster.post(*(f"meanwhile {number}" + _LONG_SUFFIX for number in range(40)))
    lobby, own_room = ann.page, ann.own_room(ROOM)
    await expect(own_room).to_contain_text("40 unread")
    await ann.open_tab_beside()
    await ann.open_path(f"/r/{bulk_poster.slug}")
    await ann.expect_connected()
    await expect(ann.log.get_by_text("New", exact=True)).to_be_in_viewport()
    below = 40 - await _count_visible(ann, bulk_poster.seqs[-40])
    await expect(ann.to_latest).to_have_text(f"To the latest · {below} new")
    await bulk_poster.post("one more")
    await expect(ann.to_latest).to_have_text(f"To the latest · {below + 1} new")
    await expect(own_room).to_contain_text("41 unread")
    await ann.log.evaluate(_SCROLL_TO_END)
    await ann.switch_to_tab(lobby)
    await expect(own_room.get_by_text("unread")).to_be_hidden()


@pytest.mark.parametrize("unread", [90, ROWS_MAX + 90])
async def test_room_opens_at_the_first_unread_beyond_the_first_page(
    world: World, bulk_poster: _BulkPoster, unread: int
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    await ann.open_path("/")
    await bulk_poster.post(*(f"long ago {number}" for number in range(unread)))
    await ann.open_room(ROOM)
    first = bulk_poster.seqs[-unread]
    first_unread = ann.log.locator(".divider.fresh + [data-key]")
    await expect(first_unread).to_have_attribute("data-key", str(first))
    await expect(ann.log.locator(".divider.fresh")).to_be_in_viewport()
    await ann.expect_connected()
    below = unread - await _count_visible(ann, first)
    count = str(below) if below < 100 else "99+"
    await expect(ann.to_latest).to_have_text(f"To the latest · {count} new")
    await expect(ann.to_first_unread).to_be_hidden()
    await ann.to_latest.click()
    await expect(_row(ann, bulk_poster.last)).to_be_in_viewport()
    await expect(ann.to_latest).to_be_hidden()
    await expect(ann.to_first_unread).to_contain_text(" new")
    await ann.to_first_unread.click()
    await expect(_row(ann, bulk_poster.seqs[-below])).to_be_in_viewport()
    await expect(ann.log.locator(".divider.fresh")).to_be_in_viewport()
    await expect(ann.to_first_unread).to_be_hidden()
    assert await _scroll_to_row(ann, down_to=bulk_poster.last) == []
    await _expect_no_gap(ann, bulk_poster)


async def test_message_deleted_while_unloaded_does_not_reappear(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await bulk_poster.post("never mind", "but this")
    await expect(_row(ann, bulk_poster.last)).to_have_count(1)
    await _scroll_to_row(ann, up_to=bulk_poster.last - _SCROLL_BACK)
    await bulk_poster.delete(bulk_poster.last - 1)
    await _scroll_to_row(ann, down_to=bulk_poster.last)
    await _expect_no_gap(ann, bulk_poster)


async def test_arrow_keys_load_messages_beyond_the_window(
    world: World, bulk_poster: _BulkPoster
) -> None:
    (ann,) = await world.members(ROOM, "Ann")
    await ann.expect_connected()
    await ann.log.focus()
    for seq in reversed(bulk_poster.seqs[-_KEY_PRESSES:]):
        await expect(_row(ann, seq)).to_have_count(1)
        await ann.page.keyboard.press("ArrowUp")
        await expect(_row(ann, seq)).to_be_focused()
    await expect(_row(ann, bulk_poster.seqs[-_KEY_PRESSES])).to_be_in_viewport()


async def _scroll_to_row(person: Person, *, up_to: int = 0, down_to: int = 0) -> Any:
    """Scroll until a message is loaded; return the layout faults on the way."""
    direction = -1 if up_to else 1
    return await person.log.evaluate(_SCROLL_TO_ROW, [direction, str(up_to or down_to), ROWS_MAX])


async def _expect_no_gap(person: Person, bulk_poster: _BulkPoster) -> None:
    """Wait until the page shows the newest messages without a gap."""

    async def has_no_gap() -> bool:
        keys = await _keys(person)
        return len(keys) > 0 and keys == bulk_poster.seqs[-len(keys) :]

    await person.expect_eventually(has_no_gap, True)


async def _keys(person: Person) -> list[int]:
    keys: list[int] = await person.log.evaluate(
        """(log) => [...log.querySelectorAll("[data-key]")].map((row) => Number(row.dataset.key))"""
    )
    return keys


async def _count_visible(person: Person, first: int) -> int:
    """Count the messages from a `seq` on that are visible, but for a few pixels."""
    count: int = await person.log.evaluate(
        """(log, first) => [...log.querySelectorAll("[data-key]")].filter((row) =>
            row.dataset.key >= first && row.getBoundingClientRect().top
                <= log.getBoundingClientRect().bottom - 16).length""",
        first,
    )
    return count


async def _topmost_row(person: Person) -> object:
    """Return the key of the topmost visible row and its distance from the top."""
    return await person.log.evaluate(
        """(log) => { const top = log.getBoundingClientRect().top;
        const row = [...log.querySelectorAll("[data-key]")]
            .find((one) => one.getBoundingClientRect().bottom > top);
        return [row.dataset.key, row.getBoundingClientRect().top]; }"""
    )


def _row(person: Person, seq: int) -> Locator:
    return person.log.locator(f"[data-key='{seq}']")
