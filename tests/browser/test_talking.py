"""Being in a room with others."""

import pytest
from playwright.async_api import expect

from anonchat.errors import InvalidMessage
from anonchat.text import tidy_message
from tests.browser.person import Person
from tests.browser.world import World
from tests.nasty import GOOD_EMOJI, NASTY

PAGE = 15
SETTINGS = {"page_size": str(PAGE)}


def _kept(text: str) -> str:
    try:
        return tidy_message(text)
    except InvalidMessage:
        return ""


HOSTILE = {
    **NASTY,
    **GOOD_EMOJI,
    "handler": "<svg/onload=alert(1)>",
    "entities": "&lt;b&gt; &amp;amp; &#x41;",
    "closing": "</div></article></script><!--",
    "lines": "one\n  two\n\n\tthree",
    "address in markup": '<a href="javascript:alert(1)">x</a>',
    "quotes in an address": "http://a.example/\"onmouseover=alert(1)//'x",
}


async def test_people_talk_both_ways(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.says("hello")
    await mira.sees("hello")
    await mira.says("oh, hi")
    await ann.sees("oh, hi")
    await ann.has_heard("hello", "oh, hi")
    await mira.has_heard("hello", "oh, hi")
    await expect(ann.message("oh, hi")).to_contain_text(mira.nickname)
    await expect(ann.box).to_have_value("")
    await expect(ann.box).to_be_focused()


async def test_three_people_talking_at_once_all_see_the_same(world: World, room: str) -> None:
    people = await world.members(room, "Ann", "Mira", "Zoë")
    for number in range(5):
        for person in people:
            await person.sends(f"{number} by {person.nickname}")
    for person in people:
        await expect(person.log.locator("[data-key]")).to_have_count(15)
    heard = [await person.hears() for person in people]
    assert heard[0] == heard[1] == heard[2]
    assert len(set(heard[0])) == 15
    for person in people:
        own = [text for text in heard[0] if text.endswith(f"by {person.nickname}")]
        assert own == sorted(own)


async def test_shift_and_enter_make_a_line_and_the_button_sends(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.box.press_sequentially("first")
    await ann.box.press("Shift+Enter")
    await ann.box.press_sequentially("second")
    await expect(ann.box).to_have_value("first\nsecond")
    await ann.button("Send").click()
    await mira.has_heard("first\nsecond")
    first, second = [
        await mira.page.evaluate(
            """(part) => { const text = document.querySelector('[data-key] .text').firstChild;
            const range = document.createRange(); range.setStart(text, part);
            range.setEnd(text, part + 1); return range.getBoundingClientRect().top; }""",
            part,
        )
        for part in (0, 6)
    ]
    assert second > first


async def test_nothing_is_sent_of_an_empty_box(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    for nothing in ("", "   ", "\n\n"):
        await ann.sends(nothing)
    await ann.says("something")
    await mira.has_heard("something")


async def test_visiting_a_room_joins_nobody(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("between us")
    mira = await world.visitor("Mira")
    await mira.page.goto(ann.page.url)
    await expect(mira.button("Join room")).to_be_visible()
    await expect(mira.page.get_by_role("heading", level=1)).to_have_text(room)
    await expect(mira.page.get_by_text("1 member", exact=True)).to_be_visible()
    await expect(mira.page.get_by_text("between us")).to_have_count(0)
    assert "between us" not in await mira.page.content()
    await expect(mira.box).to_have_count(0)
    await expect(ann.members.get_by_role("listitem")).to_have_count(1)
    await mira.joins()
    await expect(ann.members.get_by_role("listitem")).to_have_count(2)
    await mira.sees("between us")


async def test_leaving_is_one_click_and_stays_left(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    address = ann.page.url
    await ann.leaves()
    await expect(ann.own_room(room)).to_have_count(0)
    await expect(mira.members).not_to_contain_text(ann.nickname)
    await mira.says("she is gone")
    await ann.page.goto(address)
    await expect(ann.button("Join room")).to_be_visible()
    assert "she is gone" not in await ann.page.content()


async def test_every_tab_of_a_former_member_is_shown_out(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    first, address = ann.page, ann.page.url
    await ann.opens_tab()
    await ann.page.goto(address)
    await ann.is_in(room)
    await ann.leaves()
    await ann.turns_to(first)
    await ann.is_at("/")
    await mira.says("are you still listening?")
    assert "still listening" not in await first.content()


async def test_members_come_go_away_and_come_back(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    seat = ann.members.get_by_role("listitem").filter(has_text=mira.nickname)
    await expect(seat).to_be_visible()
    await expect(seat.get_by_text("away")).to_have_count(0)
    await mira.goes_to("/")
    await expect(seat.get_by_text("away")).to_have_count(1)
    await mira.own_room(room).get_by_role("link").click()
    await mira.is_in(room)
    await expect(seat.get_by_text("away")).to_have_count(0)
    await mira.leaves()
    await expect(seat).to_have_count(0)


async def test_messages_of_one_person_stand_together(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.says("one", "two")
    await mira.says("three")
    await ann.says("four")
    for person in (ann, mira):
        await person.has_heard("one", "two", "three", "four")
        for text, heading in (("one", True), ("two", False), ("three", True), ("four", True)):
            await expect(person.message(text)).to_have_class(
                "message first" if heading else "message"
            )


async def test_addresses_become_links_and_nothing_else_does(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    text = "see https://a.example/x?y=1&z=(2) and HTTP://b.example, javascript:alert(1) ftp://c.example"
    await ann.says(text)
    links = mira.message(text).get_by_role("link")
    await expect(links).to_have_text(["https://a.example/x?y=1&z=(2)", "HTTP://b.example"])
    for number in range(2):
        await expect(links.nth(number)).to_have_attribute("target", "_blank")
        await expect(links.nth(number)).to_have_attribute("rel", "noopener noreferrer nofollow")


async def test_whatever_is_written_is_shown_as_text(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    texts = [_kept(text) for text in HOSTILE.values()]
    texts = [text for text in texts if text and "\n" not in text]
    for number, text in enumerate(texts, 1):
        await ann.sends(text)
        await expect(ann.log.locator("[data-key]")).to_have_count(number)
    many = [text for text in map(_kept, HOSTILE.values()) if "\n" in text]
    for number, text in enumerate(many, len(texts) + 1):
        await ann.sends(text)
        await expect(ann.log.locator("[data-key]")).to_have_count(number)
    await ann.has_heard(*texts, *many)
    await mira.has_heard(*texts, *many)
    await mira.page.reload()
    await mira.eventually(lambda: _last(mira, PAGE), [*texts, *many][-PAGE:])
    assert await mira.page.evaluate("document.querySelectorAll('.text *:not(a)').length") == 0
    assert await mira.page.evaluate("document.documentElement.scrollWidth") <= 1280


async def test_hostile_names_are_shown_as_text_everywhere(world: World) -> None:
    ann = await world.person("Ann")
    ann.nickname = "<b>{{1+1}}</b>"
    await ann.comes_in()
    room = world.name("<img src=x onerror=alert(1)>")
    await ann.opens(room)
    await ann.says("hm")
    mira = await world.visitor("Mira")
    await expect(mira.public_room(room)).to_be_visible()
    await mira.opens(room)
    await expect(mira.members).to_contain_text("<b>{{1+1}}</b>")
    await expect(mira.message("hm")).to_contain_text("<b>{{1+1}}</b>")
    await expect(mira.own_room(room)).to_be_visible()
    assert room in await mira.page.title()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a" * 4_001, "4001 characters long; 4000 at most"),
        ("a" * 90_000, "90000 characters long; 4000 at most"),
        ("a\n" * 250 + "a", "too many lines"),
    ],
    ids=["long", "longer than the line carries", "many lines"],
)
async def test_what_is_too_much_stays_in_the_box_with_the_reason(
    world: World, room: str, text: str, reason: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.sends(text)
    await ann.is_told(reason)
    await expect(ann.box).to_have_value(text)
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await ann.says("shorter")
    await expect(ann.alert(reason)).to_have_count(0)
    await mira.has_heard("shorter")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" * 3_990 + "\n" * 5_000, "a" * 3_990),
        ("\n" * 50 + "b" * 3_990 + " " * 60_000, "b" * 3_990),
        ("e\u0323\u0302" * 3_000, "\u1ec7" * 3_000),
        ("\U0001f33b" * 4_000, "\U0001f33b" * 4_000),
    ],
    ids=["line ends", "space around", "decomposed", "beyond the basic plane"],
)
async def test_the_limit_counts_what_is_kept(world: World, room: str, text: str, kept: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.sends(text)
    await ann.sees(kept)
    await expect(ann.box).to_have_value("")


async def test_box_and_server_count_characters_alike(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    for count in (4_001, 20_000):  # the second is longer than the line carries
        await ann.sends("\n" + "\U0001f33b" * count + "\n")
        await ann.is_told(f"{count} characters long")


_CONFIRMS = """(box, when) => {
    const press = (options) => box.dispatchEvent(new KeyboardEvent("keydown", {
        key: "Enter", code: "Enter", bubbles: true, cancelable: true, ...options,
    }));
    const end = () => box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    if (when === "before") end();
    press(when === "before" ? { keyCode: 229 } : { keyCode: 229, isComposing: true });
    if (when === "after") end();
}"""


@pytest.mark.parametrize("ends", ["before", "after"])
async def test_the_enter_that_confirms_a_composition_sends_nothing(
    world: World, room: str, ends: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.types("\u65e5\u672c")
    await ann.box.evaluate(_CONFIRMS, ends)
    await expect(ann.box).to_have_value("\u65e5\u672c")
    await ann.box.press("Enter")
    await ann.sees("\u65e5\u672c")
    assert await ann.hears() == ["\u65e5\u672c"]


async def test_a_draft_survives_a_reload_and_is_kept_for_each_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.types("half a thou")
    await ann.page.reload()
    await expect(ann.box).to_have_value("half a thou")
    await ann.goes_to("/")
    await ann.opens(world.name("elsewhere"))
    await expect(ann.box).to_have_value("")
    await ann.own_room(room).get_by_role("link").click()
    await ann.is_in(room)
    await expect(ann.box).to_have_value("half a thou")
    await ann.box.press("Enter")
    await ann.sees("half a thou")
    await ann.page.reload()
    await expect(ann.box).to_have_value("")
    await ann.has_heard("half a thou")


async def test_a_long_history_is_paged_through_without_gaps(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    said = [f"line {number}" for number in range(1, 51)]
    for text in said:
        await ann.sends(text)
    await mira.has_heard(*said)
    await mira.page.reload()
    await mira.sees(said[-1])
    rows = mira.log.locator("[data-key]")
    await expect(rows.first).to_be_attached()
    assert await rows.count() < len(said)
    await expect(mira.message(said[-1])).to_be_in_viewport()
    for _ in range(10):
        shown = await rows.count()
        if shown == len(said):
            break
        await mira.log.evaluate("(log) => (log.scrollTop = 0)")
        await expect(rows.nth(shown)).to_be_attached()
    await mira.has_heard(*said)


async def test_a_tall_screen_is_filled_without_scrolling(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    said = [f"line {number}" for number in range(2 * PAGE)]
    for text in said:
        await ann.sends(text)
    await ann.has_heard(*said)
    (mira,) = await world.members(room, "Mira", height=1_600)
    await mira.has_heard(*said)


async def test_one_who_reads_further_up_is_not_torn_away(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    for number in range(25):
        await ann.sends(f"line {number}")
    await mira.sees("line 24")
    await mira.log.evaluate("(log) => (log.scrollTop = 0)")
    await ann.says("news")
    pill = mira.button("New messages")
    await expect(pill).to_be_visible()
    await expect(mira.message("line 0")).to_be_in_viewport()
    await pill.click()
    await expect(mira.message("news")).to_be_in_viewport()
    await expect(pill).to_be_hidden()
    await ann.says("more news")
    await expect(mira.message("more news")).to_be_in_viewport()


async def test_what_was_said_while_away_is_marked_as_new(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.says("before")
    await mira.sees("before")
    await expect(mira.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.goes_to("/")
    await ann.says("meanwhile")
    await expect(mira.own_room(room)).to_contain_text("1 unread")
    await mira.own_room(room).get_by_role("link").click()
    await mira.has_heard("before", "meanwhile")
    await expect(mira.log.get_by_text("New", exact=True)).to_be_visible()


async def test_a_hidden_tab_counts_in_its_title_what_was_said(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})"
    )
    await ann.says("psst", "hey")
    await mira.has_heard("psst", "hey")
    await mira.eventually(lambda: mira.page.title(), f"(2) {room} · anonchat")


async def test_the_invitation_is_the_address_of_the_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.button("Invite").click()
    await expect(ann.textbox("Link")).to_have_value(ann.page.url)


async def _last(person: Person, count: int) -> list[str]:
    return (await person.hears())[-count:]
