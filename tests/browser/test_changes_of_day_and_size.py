"""What depends on time, width and zoom changes with them."""

from playwright.async_api import expect

from tests.browser.test_phone_viewport import PHONE
from tests.browser.world import World


async def test_day_headings_change_at_midnight(world: World, room: str) -> None:
    # The context keeps the fake clock: no other test uses one with these options.
    ann = await world.visitor("Ann", timezone_id="Europe/Lisbon")
    await ann.page.clock.install()
    # The fake clock knows no navigation, from which the page estimates the server's time.
    await ann.page.add_init_script("performance.getEntriesByType = () => [{ requestStart: 0 }]")
    await ann.open_room(room)
    await ann.post_messages("late thought")
    divider = ann.log.locator(".divider.day")
    await expect(divider).to_have_text("Today")
    until_midnight: int = await ann.page.evaluate("new Date().setHours(24, 0, 0, 0) - Date.now()")
    await ann.page.clock.fast_forward(until_midnight)
    await expect(divider).to_have_text("Yesterday")


async def test_message_box_fits_its_lines_after_a_rotation(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await ann.page.set_viewport_size({"width": 640, "height": 360})
    await ann.fill_message("a long thought " * 6)
    await ann.page.set_viewport_size({"width": 360, "height": 640})
    await ann.page.wait_for_function(
        """() => { const box = document.querySelector("textarea");
            return box.clientHeight > 0 && box.scrollHeight <= box.clientHeight }"""
    )


async def test_pinch_zoom_keeps_the_height_of_the_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    browser = await ann.page.context.new_cdp_session(ann.page)
    height: float = await ann.page.evaluate("document.querySelector('.shell').clientHeight")
    await browser.send("Emulation.setPageScaleFactor", {"pageScaleFactor": 2})
    await ann.page.wait_for_function("visualViewport.scale === 2")
    await ann.page.wait_for_function(
        "document.documentElement.style.getPropertyValue('--screen') !== ''"
    )
    assert await ann.page.evaluate("document.querySelector('.shell').clientHeight") == height
