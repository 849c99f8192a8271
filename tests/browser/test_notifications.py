"""Notifications of messages that are not seen: which, what they tell, and when they go."""

import json
from typing import Any

from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World

_RECORD = """window.Notification = class extends EventTarget {
    static permission = "default";
    static async requestPermission() {
        window.asked = (window.asked ?? 0) + 1;
        return (this.permission = window.answer ?? "granted");
    }
    constructor(title, { body, tag, silent }) {
        super();
        Object.assign(this, { title, body, isOpen: true });
        window.notified = [...(window.notified ?? []), this];
        if (!tag || !silent) throw new Error("it would pile up, or sound twice");
    }
    close() {
        this.isOpen = false;
    }
};
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (at) {
    window.notes = (window.notes ?? 0) + 1;
    start.call(this, at);
};"""


async def test_mention_is_notified_of_without_text_and_name(world: World, room: str) -> None:
    ann, mira = await _meet(world, room)
    await _choose(ann, "Mentions")
    await _set_hidden(ann, is_hidden=True)
    await mira.post_messages("nobody", f"hello @{ann.nickname}")
    await ann.expect_eventually(lambda: _list_notified(ann), [["New message", "", True]])
    await _set_hidden(ann, is_hidden=False)
    await ann.expect_eventually(lambda: _list_notified(ann), [["New message", "", False]])


async def test_text_is_shown_if_it_is_chosen_and_goes_with_the_message(
    world: World, room: str
) -> None:
    ann, mira = await _meet(world, room)
    await _choose(ann, "All messages")
    await _choose(ann, "Show what was said", role="menuitemcheckbox")
    await mira.post_messages("seen")
    await ann.expect_message("seen")
    await _set_hidden(ann, is_hidden=True)
    await ann.send_message("my own")
    await mira.post_messages("one")
    await mira.send_message("**two** ||three||")
    await mira.expect_message("two")
    shown = [f"{mira.nickname} · {room}", "**two** ▒▒▒", True]
    await ann.expect_eventually(lambda: _last_notified(ann), shown)
    assert "seen" not in json.dumps(await _list_notified(ann))
    await mira.delete_message("two")
    await ann.expect_eventually(lambda: _last_notified(ann), [*shown[:2], False])


async def test_message_of_a_room_that_is_not_open_is_notified_of(world: World, room: str) -> None:
    ann, mira = await _meet(world, room)
    await _choose(ann, "All messages")
    await ann.open_room(f"{room} too")
    await mira.post_messages("one")
    await ann.expect_eventually(lambda: _list_notified(ann), [["New message", "", True]])
    await ann.page.evaluate("window.notified[0].dispatchEvent(new Event('click'))")
    await ann.expect_room(room)
    await ann.expect_message("one")
    await _choose(ann, "None")
    await ann.open_path("/")
    await mira.post_messages(f"two @{ann.nickname}")
    await expect(ann.own_room(room)).to_contain_text("you are mentioned")
    assert await _list_notified(ann) == []


async def test_own_message_of_the_api_is_not_notified_of(world: World, room: str) -> None:
    ann, mira = await _meet(world, room)
    await _choose(ann, "All messages")
    path = await ann.own_room(room).get_by_role("link").get_attribute("href")
    await ann.open_room(f"{room} too")
    await _post(ann, f"/api/v1/{path}".replace("/r/", "/rooms/"), "my own")
    await ann.expect_eventually(lambda: _read_handled(ann, room), 1)
    assert await _list_notified(ann) == []
    await mira.post_messages("of Mira")
    await ann.expect_eventually(lambda: _read_handled(ann, room), 2)
    assert await _list_notified(ann) == [["New message", "", True]]


async def test_sound_is_played_once_it_is_chosen(world: World, room: str) -> None:
    ann, mira = await _meet(world, room)
    await _choose(ann, "Sound", role="menuitemcheckbox")
    assert await ann.page.evaluate("window.notes") == 2
    await _set_hidden(ann, is_hidden=True)
    await mira.post_messages(f"hello @{ann.nickname}")
    await ann.expect_eventually(lambda: ann.page.evaluate("window.notes"), 4)
    assert await ann.page.evaluate("window.asked ?? 0") == 0


async def test_refusal_of_the_browser_is_told(world: World, room: str) -> None:
    ann, _ = await _meet(world, room)
    await ann.page.evaluate("window.answer = 'denied'")
    await _choose(ann, "All messages")
    await ann.expect_alert("This browser does not let this site show notifications.")
    await ann.page.evaluate("window.answer = 'granted'")
    await _choose(ann, "Mentions")
    await expect(ann.alert("This browser")).to_be_hidden()


async def test_choices_are_kept_and_forgotten_with_the_visitor(world: World, room: str) -> None:
    ann, _ = await _meet(world, room)
    await _choose(ann, "None")
    await ann.page.reload()
    await ann.button("Notifications").click()
    none = ann.menu.get_by_role("menuitemradio", name="None")
    await expect(none).to_have_attribute("aria-checked", "true")
    await ann.page.keyboard.press("Escape")
    await expect(ann.button("Notifications")).to_be_focused()
    await ann.forget_me()
    await ann.expect_path("/login")
    assert await ann.page.evaluate("localStorage.length") == 0


async def _meet(world: World, room: str) -> list[Person]:
    """Return two members of a room; the first one's page records notifications and sounds."""
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.page.add_init_script(_RECORD)
    await ann.page.reload()
    await ann.expect_room(room)
    await ann.expect_connected()
    return [ann, mira]


async def _post(person: Person, path: str, text: str) -> None:
    cookies = {each["name"]: each["value"] for each in await person.context.cookies(person.home)}
    response = await person.context.request.post(
        f"{person.home}{path}/messages",
        data={"text": text},
        headers={"Authorization": f"Bearer {cookies['anonchat']}"},
    )
    assert response.ok, await response.text()


async def _choose(person: Person, name: str, *, role: Any = "menuitemradio") -> None:
    await person.button("Notifications").click()
    await person.menu.get_by_role(role, name=name, exact=True).click()
    await expect(person.menu).to_be_hidden()


async def _list_notified(person: Person) -> list[list[object]]:
    found: list[list[object]] = await person.page.evaluate(
        "(window.notified ?? []).map(({ title, body, isOpen }) => [title, body, isOpen])"
    )
    return found


async def _read_handled(person: Person, room: str) -> object:
    """Return the last message of a room that was notified of or need not be."""
    id = await person.own_room(room).get_attribute("data-room")
    return await person.page.evaluate("(id) => JSON.parse(localStorage.notified ?? '{}')[id]", id)


async def _last_notified(person: Person) -> list[object] | None:
    return next(reversed(await _list_notified(person)), None)


async def _set_hidden(person: Person, *, is_hidden: bool) -> None:
    await person.page.evaluate(
        """(isHidden) => {
            Object.defineProperty(document, "hidden", {get: () => isHidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )
