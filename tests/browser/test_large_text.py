"""Text of twice the size fits on a phone, where Russian texts are the longest."""

from playwright.async_api import expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.world import World

_ENLARGE = "document.documentElement.style.fontSize = '200%'"
_CUT = """() => {
    const boxes = `h1, h2, p:not(:empty), li, label, button, input, select,
        .chip, .card, .field, .pill`;
    const isCut = (node) => {
        const { left, right, width } = node.getBoundingClientRect();
        const frame = node.closest("dialog") ?? document.documentElement;
        const limits = frame.getBoundingClientRect();
        return width > 1 && (left < limits.left - 1 || right > limits.right + 1);
    };
    return [...document.querySelectorAll(boxes)]
        .filter((node) => node.checkVisibility({ visibilityProperty: true }) && isCut(node))
        .map((node) => node.outerHTML.slice(0, 200));
}"""


async def _expect_nothing_cut(person: Person) -> None:
    await person.page.evaluate(_ENLARGE)
    await person.expect_eventually(lambda: person.page.evaluate(_CUT), [])


async def test_nothing_is_cut_beside_a_phone(world: World) -> None:
    room = world.name("комната с довольно длинным названием")
    (ann,) = await world.members(room, "Ann")
    mira = await world.person("Мира", words=RUSSIAN, locale="ru-RU", width=360, height=740)
    await mira.open_path("/login")
    await _expect_nothing_cut(mira)
    await mira.start_session()
    await mira.open_path("/")
    await mira.expect_connected()
    await _expect_nothing_cut(mira)
    await mira.open_settings()
    await _expect_nothing_cut(mira)
    await mira.button("Закрыть").click()
    await mira.public_room(room).get_by_role("link").click()
    await expect(mira.button(mira.words.join)).to_be_visible()
    await _expect_nothing_cut(mira)
    await mira.join_room()
    await mira.open_path("/")
    await ann.post_messages(*(f"сообщение {number}" for number in range(30)))
    await mira.own_room(room).get_by_role("link").click()
    await mira.expect_room(room)
    await expect(mira.page.locator(".pill.to-latest")).to_be_visible()
    await _expect_nothing_cut(mira)
    await mira.button(mira.words.invite).click()
    await expect(mira.dialog).to_be_visible()
    await _expect_nothing_cut(mira)
