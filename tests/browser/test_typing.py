"""Who is typing, as the others see it."""

from playwright.async_api import Locator, expect

from tests.browser.person import CONNECTION_ERRORS, RUSSIAN, Person
from tests.browser.world import World

SETTINGS = {"typing_per_visitor": "600/1m"}
PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}


def typing(person: Person) -> Locator:
    """Find the line that tells who is typing."""
    return person.page.locator(".composer .typing")


async def type_on(person: Person) -> None:
    """Type a character, as one who goes on typing."""
    await person.message_input.press("a")


async def type_until_shown(person: Person, line: Locator) -> None:
    """Type until the line is there: what is typed while a message is posted may not count."""

    async def look() -> object:
        await type_on(person)
        return await line.count()

    await person.expect_eventually(look, 1)


async def expect_line(reader: Person, text: str, *typists: Person) -> None:
    """Let people go on typing, in this order, until the reader is told so."""

    async def look() -> object:
        for person in typists:
            await type_on(person)
        return await typing(reader).all_text_contents()

    await reader.expect_eventually(look, [text])


async def test_up_to_three_are_named_and_oneself_is_not(world: World, room: str) -> None:
    ann, ben, mira, moe, zoe = await world.members(room, "Ann", "Ben", "Mira", "Moe", "Zoe")
    await expect_line(ben, f"{ann.nickname} is typing", ann)
    await expect(typing(ben)).to_have_role("status")
    await expect(typing(ann)).to_have_count(0)
    both = f"{ann.nickname} and {ben.nickname} are typing"
    await expect_line(mira, both, ann, ben)
    await expect_line(ann, f"{ben.nickname} is typing", ann, ben)
    three = f"{ann.nickname}, {ben.nickname} and {mira.nickname} are typing"
    await expect_line(moe, three, ann, ben, mira, moe)
    await expect_line(zoe, "several people are typing", ann, ben, mira, moe)


async def test_line_ends_with_the_message_and_with_the_page(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben")
    await expect_line(ben, f"{ann.nickname} is typing", ann)
    await ann.send_message("hello")
    await ben.expect_message("hello")
    await expect(typing(ben)).to_have_count(0)
    await type_until_shown(ann, typing(ben))
    await ann.page.close()
    await expect(typing(ben)).to_have_count(0)


async def test_commands_and_edits_are_not_announced(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben")
    await ann.post_messages("one")
    await ann.message_input.press("ArrowUp")
    await expect(ann.button("Cancel edit")).to_be_visible()
    await type_on(ann)
    await ann.button("Cancel edit").click()
    await ann.message_input.type("/roll")
    await ann.message_input.fill("")
    await ben.post_messages("two")
    await ann.expect_message("two")
    await expect(typing(ben)).to_have_count(0)
    await ann.message_input.type("//roll")
    await type_until_shown(ann, typing(ben))


async def test_line_moves_nothing(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben")
    await ann.post_messages(*(f"line {number}" for number in range(12)))
    await ben.expect_message("line 11")
    for width in (1280, 360):
        await ben.page.set_viewport_size({"width": width, "height": 640})
        before = await _boxes(ben)
        await type_until_shown(ann, typing(ben))
        await expect(typing(ben)).to_be_in_viewport(ratio=1)
        assert await _boxes(ben) == before
        await ann.send_message(f"sent at {width}")
        await expect(typing(ben)).to_have_count(0)


async def _boxes(person: Person) -> object:
    return await person.page.evaluate(
        """() => [...document.querySelectorAll(".feed-messages, .composer, .composer .field")]
            .map((node) => node.getBoundingClientRect().toJSON())"""
    )


async def test_line_is_in_the_language_of_the_reader(world: World, room: str) -> None:
    (ben,) = await world.members(room, "Бен", words=RUSSIAN, locale="ru-RU", **PHONE)
    ann, moe, zoe, mira = await world.members(room, "Ann", "Moe", "Zoe", "Mira")
    for text, *typists in (
        (f"{ann.nickname} печатает", ann),
        (f"{ann.nickname} и {moe.nickname} печатают", ann, moe),
        (f"{ann.nickname}, {moe.nickname} и {zoe.nickname} печатают", ann, moe, zoe),
        ("несколько человек печатают", ann, moe, zoe, mira),
    ):
        await expect_line(ben, text, *typists)
        await expect(typing(ben)).to_be_in_viewport(ratio=1)


async def test_line_is_gone_after_a_lost_connection(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben")
    ben.ignored_errors = CONNECTION_ERRORS
    await type_until_shown(ann, typing(ben))
    await ben.context.set_offline(True)
    await ben.page.evaluate("window.socket.disconnect()")
    await ann.send_message("sent meanwhile")
    await ben.context.set_offline(False)
    await ben.expect_message("sent meanwhile")
    await expect(typing(ben)).to_have_count(0)
