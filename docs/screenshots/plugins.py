"""Take the screenshots of docs/plugins.md: where each hook of a plugin appears.

The plugins are those of docs/examples/plugins, in a site with two people and one room.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from make import HERE, QUIET, ROOT, find_chromium, running_server
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.browser.person import Person

PICTURES = HERE / "plugins"
SIZE_MAX = 60_000  # bytes per screenshot
ROOM = "night train"
VIEWPORT = {"width": 960, "height": 460}
MARGIN = 12  # pixels around what is shown


async def main() -> None:
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        del os.environ[name]
    os.environ["ANONCHAT_PLUGINS"] = f"{ROOT / 'docs/examples/plugins'},-polls"
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # contains no .env file
        with running_server(Path(folder)) as site:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=find_chromium(), args=QUIET
                )
                await take_screenshots(browser, site)
                await browser.close()
        os.chdir(ROOT)
    for path in sorted(PICTURES.glob("*.png")):
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size // 1000} kB")
        if size > SIZE_MAX:
            sys.exit("The screenshot is too large.")


async def take_screenshots(browser: Browser, site: str) -> None:
    ann, mira = [await enter(browser, site, name) for name in ("Ann", "Mira")]
    await mira.post_messages("Does anyone else hear the rain on the roof?")
    await show_commands(ann)
    await show_filter(ann)
    await show_messages(ann, mira)
    await show_actions(ann)
    await show_panel(ann)
    await show_pages(ann)
    await show_theme(ann)


async def enter(browser: Browser, site: str, name: str) -> Person:
    """Let somebody come into the room."""
    context = await browser.new_context(locale="en-GB", viewport=VIEWPORT, reduced_motion="reduce")
    person = Person(name, site, context, await context.new_page())
    await person.start_session()
    await person.enter_room(ROOM)
    return person


async def show_commands(ann: Person) -> None:
    await ann.message_input.press_sequentially("/gr")
    options = ann.page.get_by_role("listbox", name="Commands")
    await expect(options).to_be_visible()
    await take("commands", ann.page, options, ann.page.locator(".composer"))
    await ann.message_input.fill("")


async def show_filter(ann: Person) -> None:
    await ann.send_message("WHO IS AWAKE AT THIS HOUR?")
    await ann.expect_alert("Please do not shout.")
    await take("filter", ann.page, ann.page.locator(".composer"))
    await ann.message_input.fill("")
    await ann.message_input.press("Escape")


async def show_messages(ann: Person, mira: Person) -> None:
    """Show a kind of message, and an inline mark."""
    await ann.send_message('/rate "The Left Hand of Darkness" 5')
    await expect(mira.log).to_contain_text("★★★★★")
    await mira.send_message("press [[Ctrl+K]] to find my other rooms")
    await expect(ann.log.locator("kbd", has_text="Ctrl+K")).to_be_visible()
    rows = ann.log.locator("[data-key]")
    await take("messages", ann.page, rows.nth(-2), rows.last)


async def show_actions(ann: Person) -> None:
    """Show the menu of a message beside the buttons of the room, and what an action tells."""
    row = ann.log.locator("[data-key]").first
    await row.hover()
    await row.get_by_role("button", name="More").click()
    await expect(ann.menu_item("Applaud")).to_be_visible()
    await take("menu", ann.page, row, ann.menu)
    await ann.page.keyboard.press("Escape")
    await ann.button("Flip a coin").click()
    note = ann.page.locator(".note")
    await expect(note).to_contain_text("the coin of")
    await take("told", ann.page, note, ann.page.locator(".composer"))
    await ann.page.keyboard.press("Escape")


async def show_panel(ann: Person) -> None:
    await ann.page.set_viewport_size({"width": 1280, "height": 460})
    await ann.page.get_by_role("tab", name="Countdown").click()
    await ann.button("5 min").click()
    panel = ann.page.get_by_role("tabpanel", name="Countdown")
    await expect(panel).to_contain_text("4:5")
    await take("panel", ann.page, ann.page.get_by_role("tablist"), ann.button("Stop"))


async def show_pages(ann: Person) -> None:
    await ann.page.set_viewport_size(VIEWPORT)
    await ann.open_path("/about")
    await expect(ann.page.get_by_text("run by the tea society")).to_be_visible()
    await ann.page.screenshot(path=PICTURES / "page.png")


async def show_theme(ann: Person) -> None:
    await ann.context.add_cookies([{"name": "look", "value": "felt", "url": ann.home}])
    await ann.open_path("/")
    await expect(ann.room_search).to_be_visible()
    await ann.page.screenshot(path=PICTURES / "theme.png")


async def take(name: str, page: Page, *shown: Locator) -> None:
    """Take a screenshot of the rectangle that has these elements, with a margin."""
    boxes = [box for each in shown if (box := await each.bounding_box())]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    left, top = max(0, left - MARGIN), max(0, top - MARGIN)
    clip = {"x": left, "y": top, "width": right + MARGIN - left, "height": bottom + MARGIN - top}
    await page.screenshot(path=PICTURES / f"{name}.png", clip=clip)


if __name__ == "__main__":
    asyncio.run(main())
