"""Conversation in a room: messages, members, drafts, unread markers."""

import re

import pytest
from playwright.async_api import Locator, expect

from anonchat.errors import InvalidMessage
from anonchat.text.normalization import normalize_message
from tests.browser.person import Person
from tests.browser.world import World
from tests.hostile_texts import HOSTILE_TEXTS, VALID_EMOJI

PAGE = 15
_THREE_ROWS = 90  # pixels
SETTINGS = {"page_size": str(PAGE)}


def _normalized(text: str) -> str:
    try:
        return normalize_message(text)
    except InvalidMessage:
        return ""


HOSTILE = {
    **HOSTILE_TEXTS,
    **VALID_EMOJI,
    "handler": "<svg/onload=alert(1)>",
    "entities": "&lt;b&gt; &amp;amp; &#x41;",
    "closing": "</div></article></script><!--",
    "lines": "one\n  two\n\n\tthree",
    "javascript URL": '<a href="javascript:alert(1)">x</a>',
    "quotes in a URL": "http://a.example/\"onmouseover=alert(1)//'x",
}


async def test_two_members_exchange_messages(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("hello")
    await mira.expect_message("hello")
    await mira.post_messages("oh, hi")
    await ann.expect_message("oh, hi")
    await ann.expect_messages("hello", "oh, hi")
    await mira.expect_messages("hello", "oh, hi")
    await expect(ann.message("oh, hi")).to_contain_text(mira.nickname)
    await expect(ann.message_input).to_have_value("")
    await expect(ann.message_input).to_be_focused()


async def test_concurrent_messages_have_the_same_order_on_every_page(
    world: World, room: str
) -> None:
    people = await world.members(room, "Ann", "Mira", "Zoë")
    for number in range(5):
        for person in people:
            await person.send_message(f"{number} by {person.nickname}")
    for person in people:
        await expect(person.log.locator("[data-key]")).to_have_count(15)
    logs = [await person.message_texts() for person in people]
    assert logs[0] == logs[1] == logs[2]
    assert len(set(logs[0])) == 15
    for person in people:
        own = [text for text in logs[0] if text.endswith(f"by {person.nickname}")]
        assert own == sorted(own)


async def test_shift_enter_adds_a_line_and_the_button_sends(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.message_input.press_sequentially("first")
    await ann.message_input.press("Shift+Enter")
    await ann.message_input.press_sequentially("second")
    await expect(ann.message_input).to_have_value("first\nsecond")
    await ann.button("Send").click()
    await mira.expect_messages("first\nsecond")
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


async def test_empty_message_is_not_sent(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    for blank in ("", "   ", "\n\n"):
        await ann.send_message(blank)
    await ann.post_messages("something")
    await mira.expect_messages("something")


async def test_viewing_a_room_does_not_join_it(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("between us")
    mira = await world.visitor("Mira")
    await mira.page.goto(ann.page.url)
    await expect(mira.button("Join room")).to_be_visible()
    await expect(mira.page.get_by_role("heading", level=1)).to_have_text(room)
    await expect(mira.page.get_by_text("1 member", exact=True)).to_be_visible()
    await expect(mira.page.get_by_text("between us")).to_have_count(0)
    assert "between us" not in await mira.page.content()
    await expect(mira.message_input).to_have_count(0)
    await expect(ann.members.get_by_role("listitem")).to_have_count(1)
    await mira.join_room()
    await expect(ann.members.get_by_role("listitem")).to_have_count(2)
    await mira.expect_message("between us")


async def test_leaving_takes_one_click_and_persists(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    address = ann.page.url
    await ann.leave_room()
    await expect(ann.own_room(room)).to_have_count(0)
    await expect(mira.members).not_to_contain_text(ann.nickname)
    await mira.post_messages("she is gone")
    await ann.page.goto(address)
    await expect(ann.button("Join room")).to_be_visible()
    assert "she is gone" not in await ann.page.content()


async def test_leaving_redirects_every_tab_to_the_lobby(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    first, address = ann.page, ann.page.url
    await ann.open_tab_beside()
    await ann.page.goto(address)
    await ann.expect_room(room)
    await ann.leave_room()
    await ann.switch_to_tab(first)
    await ann.expect_path("/")
    await mira.post_messages("are you still listening?")
    assert "still listening" not in await first.content()


async def test_member_list_shows_presence_and_leaving(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    member = ann.members.get_by_role("listitem").filter(has_text=mira.nickname)
    await expect(member).to_be_visible()
    await expect(member.get_by_text("away")).to_have_count(0)
    await mira.open_path("/")
    await expect(member.get_by_text("away")).to_have_count(1)
    await mira.own_room(room).get_by_role("link").click()
    await mira.expect_room(room)
    await expect(member.get_by_text("away")).to_have_count(0)
    await mira.leave_room()
    await expect(member).to_have_count(0)


async def test_consecutive_messages_of_one_author_are_grouped(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("one", "two")
    await mira.post_messages("three")
    await ann.post_messages("four")
    for person in (ann, mira):
        await person.expect_messages("one", "two", "three", "four")
        for text, heading in (("one", True), ("two", False), ("three", True), ("four", True)):
            await expect(person.message(text)).to_have_class(
                "message first" if heading else "message"
            )


async def test_only_http_urls_become_links(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    text = "see https://a.example/x?y=1&z=(2) and HTTP://b.example, javascript:alert(1) ftp://c.example"
    await ann.post_messages(text)
    links = mira.message(text).get_by_role("link")
    await expect(links).to_have_text(["https://a.example/x?y=1&z=(2)", "HTTP://b.example"])
    for number in range(2):
        await expect(links.nth(number)).to_have_attribute("target", "_blank")
        await expect(links.nth(number)).to_have_attribute("rel", "noopener noreferrer nofollow")


# Markdown has tags of its own.
_FOREIGN_TAGS = """[...document.querySelectorAll(
    ".text *:not(a, blockquote, code, del, em, li, ol, p, pre, span, strong, ul)"
)].map((element) => element.outerHTML)"""


async def test_hostile_messages_are_shown_as_text(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    texts = [_normalized(text) for text in HOSTILE.values()]
    texts = [text for text in texts if text and "\n" not in text]
    for number, text in enumerate(texts, 1):
        await ann.send_message(text)
        await expect(ann.log.locator("[data-key]")).to_have_count(number)
    multiline = [text for text in map(_normalized, HOSTILE.values()) if "\n" in text]
    for number, text in enumerate(multiline, len(texts) + 1):
        await ann.send_message(text)
        await expect(ann.log.locator("[data-key]")).to_have_count(number)
    await ann.expect_messages(*texts, *multiline)
    await mira.expect_messages(*texts, *multiline)
    await mira.page.reload()
    await mira.expect_eventually(lambda: _last_texts(mira, PAGE), [*texts, *multiline][-PAGE:])
    assert await mira.page.evaluate(_FOREIGN_TAGS) == []
    assert await mira.page.evaluate("document.documentElement.scrollWidth") <= 1280


async def test_hostile_names_are_shown_as_text_everywhere(world: World) -> None:
    ann = await world.person("Ann")
    ann.nickname = "<b>{{1+1}}</b>"
    await ann.sign_in()
    room = world.name("<img src=x onerror=alert(1)>")
    await ann.open_room(room)
    await ann.post_messages("hm")
    mira = await world.visitor("Mira")
    await expect(mira.public_room(room)).to_be_visible()
    await mira.open_room(room)
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
    ids=["long", "longer than the socket accepts", "many lines"],
)
async def test_oversized_message_stays_in_the_input_with_the_reason(
    world: World, room: str, text: str, reason: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.send_message(text)
    await ann.expect_alert(reason)
    await expect(ann.message_input).to_have_value(text)
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await ann.post_messages("shorter")
    await expect(ann.alert(reason)).to_have_count(0)
    await mira.expect_messages("shorter")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a" * 3_990 + "\n" * 500, "a" * 3_990),
        ("\n" * 50 + "b" * 3_990 + " " * 60_000, "b" * 3_990),
        ("e\u0323\u0302" * 3_000, "\u1ec7" * 3_000),
        ("\U0001f33b" * 4_000, "\U0001f33b" * 4_000),
    ],
    ids=["trailing newlines", "surrounding space", "decomposed", "astral plane"],
)
async def test_length_limit_applies_to_the_normalized_text(
    world: World, room: str, text: str, stored: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message(text)
    await ann.expect_message(stored)
    await expect(ann.message_input).to_have_value("")


async def test_browser_and_server_count_characters_alike(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    for count in (4_001, 20_000):  # the second is longer than the socket accepts
        await ann.send_message("\n" + "\U0001f33b" * count + "\n")
        await ann.expect_alert(f"{count} characters long")


_CONFIRM_COMPOSITION = """(box, compositionEnd) => {
    const press = (options) => box.dispatchEvent(new KeyboardEvent("keydown", {
        key: "Enter", code: "Enter", bubbles: true, cancelable: true, ...options,
    }));
    const end = () => box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    if (compositionEnd === "before") end();
    press(compositionEnd === "before" ? { keyCode: 229 } : { keyCode: 229, isComposing: true });
    if (compositionEnd === "after") end();
}"""


@pytest.mark.parametrize("composition_end", ["before", "after"])
async def test_enter_that_confirms_an_ime_composition_sends_nothing(
    world: World, room: str, composition_end: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.fill_message("\u65e5\u672c")
    await ann.message_input.evaluate(_CONFIRM_COMPOSITION, composition_end)
    await expect(ann.message_input).to_have_value("\u65e5\u672c")
    await ann.message_input.press("Enter")
    await ann.expect_message("\u65e5\u672c")
    assert await ann.message_texts() == ["\u65e5\u672c"]


async def test_draft_survives_a_reload_and_is_kept_per_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.fill_message("half a thou")
    await ann.page.reload()
    await expect(ann.message_input).to_have_value("half a thou")
    await ann.open_path("/")
    await ann.open_room(world.name("elsewhere"))
    await expect(ann.message_input).to_have_value("")
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_room(room)
    await expect(ann.message_input).to_have_value("half a thou")
    await ann.message_input.press("Enter")
    await ann.expect_message("half a thou")
    await ann.page.reload()
    await expect(ann.message_input).to_have_value("")
    await ann.expect_messages("half a thou")


async def test_long_history_is_paged_without_gaps(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    texts = [f"line {number}" for number in range(1, 51)]
    for text in texts:
        await ann.send_message(text)
    await ann.expect_messages(*texts)
    await ann.page.reload()
    await ann.expect_message(texts[-1])
    rows = ann.log.locator("[data-key]")
    await expect(rows.first).to_be_attached()
    assert await rows.count() < len(texts)
    await expect(ann.message(texts[-1])).to_be_in_viewport()
    for _ in range(10):
        shown = await rows.count()
        if shown == len(texts):
            break
        await ann.log.evaluate("(log) => (log.scrollTop = 0)")
        await expect(rows.nth(shown)).to_be_attached()
    await ann.expect_messages(*texts)


async def test_tall_viewport_is_filled_without_scrolling(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    texts = [f"line {number}" for number in range(2 * PAGE)]
    for text in texts:
        await ann.send_message(text)
    await ann.expect_messages(*texts)
    (mira,) = await world.members(room, "Mira", height=1_600)
    await mira.expect_messages(*texts)


async def test_new_message_does_not_move_a_log_that_is_scrolled_up(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    for number in range(25):
        await ann.send_message(f"line {number}")
    await mira.expect_message("line 24")
    await mira.log.evaluate("(log) => (log.scrollTop = 0)")
    await ann.post_messages("news")
    await expect(mira.to_latest).to_have_text("To the latest · 1 new")
    await expect(mira.message("line 0")).to_be_in_viewport()
    await mira.to_latest.click()
    await expect(mira.message("news")).to_be_in_viewport()
    await expect(mira.to_latest).to_be_hidden()
    await ann.post_messages("more news")
    await expect(mira.message("more news")).to_be_in_viewport()


async def test_messages_posted_while_away_are_marked_as_new(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("before")
    await mira.expect_message("before")
    await expect(mira.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.open_path("/")
    await ann.post_messages("meanwhile")
    await expect(mira.own_room(room)).to_contain_text("1 unread")
    await mira.own_room(room).get_by_role("link").click()
    await mira.expect_messages("before", "meanwhile")
    await expect(mira.log.get_by_text("New", exact=True)).to_be_visible()


async def test_more_unread_than_fit_are_counted_above_and_below(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", height=500)
    await ann.post_messages("before")
    await mira.expect_message("before")
    await mira.open_path("/")
    for number in range(40):
        await ann.send_message(f"line {number}")
    await ann.expect_message("line 39")
    await mira.own_room(room).get_by_role("link").click()
    await expect(mira.log.get_by_text("New", exact=True)).to_be_in_viewport()
    await expect(mira.message("line 0")).to_be_in_viewport()
    await expect(mira.to_first_unread).to_be_hidden()
    below = await _count_new(mira.to_latest)
    assert 20 < below < 40
    await mira.log.evaluate("(log, pixels) => (log.scrollTop += pixels)", _THREE_ROWS)
    await expect(mira.to_latest).not_to_contain_text(f"· {below} new")
    assert await _count_new(mira.to_latest) < below
    seen = 40 - await _count_new(mira.to_latest)
    await mira.to_latest.click()
    await expect(mira.message("line 39")).to_be_in_viewport()
    await expect(mira.to_latest).to_be_hidden()
    skipped = await _count_new(mira.to_first_unread)
    assert 0 < skipped < 40 - seen
    await ann.delete_message("line 20")
    await expect(mira.to_first_unread).to_contain_text(f"To the first unread · {skipped - 1} new")
    await expect(mira.to_first_unread).to_contain_text("the next disappears in 2")
    title = re.compile(rf"^{skipped - 1} unread, the next disappears in 2\d hr$")
    await expect(mira.to_first_unread).to_have_attribute("title", title)
    await mira.to_first_unread.click()
    await expect(mira.message(f"line {seen}")).to_be_in_viewport()
    await expect(mira.log.get_by_text("New", exact=True)).to_be_in_viewport()
    await expect(mira.to_first_unread).to_be_hidden()


async def test_messages_that_a_hidden_tab_scrolled_past_are_counted(
    world: World, room: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", height=500)
    await _set_hidden(mira, True)
    for number in range(40):
        await ann.send_message(f"line {number}")
    await expect(mira.message("line 39")).to_be_in_viewport()
    await expect(mira.to_first_unread).to_contain_text("new")
    await _set_hidden(mira, False)
    await mira.to_first_unread.click()
    await expect(mira.message("line 0")).to_be_in_viewport()
    await expect(mira.log.get_by_text("New", exact=True)).to_be_in_viewport()


async def test_lone_emoji_is_large_from_the_start(world: World, room: str) -> None:
    wire = await world.wire()
    (ann,) = await world.members(room, "Ann", wire=wire)
    await ann.expect_connected()
    wire.hold()
    is_large = "(row) => parseFloat(getComputedStyle(row.querySelector('.text')).fontSize) > 30"
    large, small = ["🎉", "👨‍👩‍👦 ❤️", "🇯🇵"], ["12", "well 🎉", "🎉🎉🎉🎉"]
    for text in (*large, *small):
        await ann.send_message(text)
        assert await ann.pending(text).last.evaluate(is_large) is (text in large)
    wire.release()
    for text in (*large, *small):
        await ann.expect_message(text)
        assert await ann.message(text).evaluate(is_large) is (text in large)


async def test_hidden_tab_counts_new_messages_in_its_title(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})"
    )
    await ann.post_messages("psst", "hey")
    await mira.expect_messages("psst", "hey")
    await mira.expect_eventually(lambda: mira.page.title(), f"(2) {room} · anonchat")


async def test_invitation_link_is_the_room_url(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.button("Invite").click()
    await expect(ann.textbox("Link")).to_have_value(ann.page.url)


@pytest.mark.parametrize(("is_allowed", "label"), [(True, "Copied"), (False, "Copy the link")])
async def test_copied_invitation_link_is_confirmed_only_if_it_was_copied(
    world: World, room: str, is_allowed: bool, label: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.page.evaluate(
        """(isAllowed) => {
            const refuse = async () => { throw new DOMException("", "NotAllowedError"); };
            navigator.clipboard.writeText = isAllowed ? async () => {} : refuse;
            document.execCommand = () => { window.hasFallenBack = true; return false; };
        }""",
        is_allowed,
    )
    await ann.button("Invite").click()
    button = ann.dialog.locator(".copy-link button")
    await button.click()
    if not is_allowed:
        await ann.page.wait_for_function("window.hasFallenBack")
    await expect(button).to_have_text(label)


async def _count_new(pill: Locator) -> int:
    """Return the number on a button such as "To the latest · 12 new"."""
    await expect(pill).to_contain_text(" new")
    return int((await pill.text_content() or "").split("· ")[1].split()[0])


async def _set_hidden(person: Person, is_hidden: bool) -> None:
    await person.page.evaluate(
        """(isHidden) => {
            Object.defineProperty(document, "hidden", {get: () => isHidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


async def _last_texts(person: Person, count: int) -> list[str]:
    return (await person.message_texts())[-count:]
