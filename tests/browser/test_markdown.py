"""Markdown in the log: what it looks like, and what readers do with it."""

import pytest
from playwright.async_api import expect

from tests.browser.person import HOLD_NOTICES, Person
from tests.browser.world import World

_CODE = "```python\ndef f(x):\n    return '" + "a" * 300 + "'  # one\n```"
_SELECT_TEXT = """(text) => document.getSelection().selectAllChildren(text)"""
_PASTED = "() => navigator.clipboard.readText()"


async def test_markdown_is_shown_to_everybody(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.send_message("**bold** _italic_ ~~gone~~ `code`\n- one\n- two")
    text = bob.log.locator("[data-key] .text")
    await expect(text.locator("strong")).to_have_text("bold")
    await expect(text.locator("em")).to_have_text("italic")
    await expect(text.locator("del")).to_have_text("gone")
    await expect(text.locator("code")).to_have_text("code")
    await expect(text.get_by_role("listitem")).to_have_text(["one", "two"])


async def test_pending_message_is_plain_until_it_is_stored(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = ".*"
    await ann.context.set_offline(True)
    await ann.send_message("**waiting**")
    await expect(ann.pending("**waiting**")).to_be_visible()
    await ann.context.set_offline(False)
    await expect(ann.log.locator("strong")).to_have_text("waiting")
    await expect(ann.log.locator(".pending")).to_have_count(0)


@pytest.mark.parametrize("way", ["click", "Enter", "Space"])
async def test_spoiler_is_opened(world: World, room: str, way: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message("the end: ||he *wakes* [up](https://a.example)|| ok")
    spoiler = ann.log.get_by_role("button", name="Spoiler")
    await expect(spoiler).to_have_attribute("aria-expanded", "false")
    await expect(ann.log.locator("em")).not_to_be_visible()
    await expect(ann.log.get_by_role("link", name="up")).to_have_count(0)
    snapshot = await ann.log.locator(".text").aria_snapshot()
    assert "wakes" not in snapshot and "the end" in snapshot
    if way == "click":
        await spoiler.click()
    else:
        await spoiler.focus()
        await ann.page.keyboard.press(way)
    await expect(spoiler).to_have_count(0)
    await expect(ann.log.locator("em")).to_be_visible()
    await expect(ann.log.get_by_role("link", name="up")).to_be_visible()
    await expect(ann.menu).to_have_count(0)
    assert "wakes" in await ann.log.locator(".text").aria_snapshot()


async def test_code_gets_colours_and_scrolls_within_itself(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.send_message("||closed|| ||open||\n" + _CODE)
    await bob.log.locator(".spoiler").nth(1).click()
    for person in (ann, bob):
        await expect(person.log.locator(".code-keyword")).to_have_text(["def", "return"])
    await expect(bob.log.get_by_role("button", name="Spoiler")).to_have_count(1)
    pre = bob.log.locator("pre")
    assert await pre.evaluate("(pre) => pre.scrollWidth > pre.clientWidth")
    assert await bob.log.evaluate("(log) => log.scrollWidth === log.clientWidth")
    await pre.focus()
    await bob.page.keyboard.press("ArrowRight")
    await bob.page.wait_for_function("document.activeElement.scrollLeft > 0")
    await bob.page.reload()
    await expect(bob.log.locator(".code-keyword")).to_have_text(["def", "return"])


async def test_code_is_copied(world: World, room: str) -> None:
    ann = await _person_with_clipboard(world, room)
    await ann.send_message("see\n```\n<a>  b\n\nc &amp;\n```")
    await ann.log.locator("pre").hover()
    await ann.log.get_by_role("button", name="Copy", exact=True).click()
    await expect(ann.page.get_by_text("Copied", exact=True)).to_be_visible()
    assert await ann.page.evaluate(_PASTED) == "<a>  b\n\nc &amp;"


async def test_message_is_copied_as_it_was_typed(world: World, room: str) -> None:
    ann = await _person_with_clipboard(world, room)
    typed = "**a** ||b||\n- c\n- d\n\n```\ne\n```"
    await ann.send_message(typed)
    await expect(ann.log.locator("pre")).to_have_text("e")
    await ann.log.locator("strong").click(button="left")
    await ann.log.locator("[data-key]").focus()
    for key in ("Enter", "End", "Enter"):
        await ann.page.keyboard.press(key)
    await ann.menu_item("Copy text").click()
    await expect(ann.page.get_by_text("Copied", exact=True)).to_be_visible()
    assert await ann.page.evaluate(_PASTED) == typed
    await ann.log.locator(".text").evaluate(_SELECT_TEXT)
    await ann.page.keyboard.press("ControlOrMeta+c")
    assert await ann.page.evaluate(_PASTED) == typed
    await ann.log.locator("ul").evaluate(_SELECT_TEXT)
    await ann.page.keyboard.press("ControlOrMeta+c")
    assert await ann.page.evaluate(_PASTED) == "c\nd"


async def _person_with_clipboard(world: World, room: str) -> Person:
    (ann,) = await world.members(room, "Ann")
    await ann.page.add_init_script(HOLD_NOTICES)
    await ann.page.reload()
    await ann.expect_connected()
    await ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return ann
