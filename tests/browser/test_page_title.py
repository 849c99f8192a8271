"""The title of a page counts what is unread in other rooms."""

from playwright.async_api import expect

from tests.browser.world import World


async def test_title_counts_what_is_unread_elsewhere(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    other = f"{room} too"
    await ann.open_room(other)
    await mira.post_messages("one", "two")
    await expect(ann.page).to_have_title(f"(2) {other} · anonchat")
    await ann.post_messages("not counted here")
    await ann.open_path("/")
    await expect(ann.page).to_have_title("(2) Rooms · anonchat")
    await ann.own_room(room).first.hover()
    await ann.button(f"Leave “{room}”").click()
    await expect(ann.page).to_have_title("Rooms · anonchat")
