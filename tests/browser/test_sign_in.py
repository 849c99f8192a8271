"""Sign-in, sessions, sign-out and "Forget me"."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Route, expect

from tests.browser.person import RUSSIAN
from tests.browser.world import World


async def test_login_needs_only_a_nickname(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/")
    await ann.expect_path("/login")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_contain_text(ann.nickname)


async def test_login_form_is_submitted_by_enter(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await expect(ann.textbox("Nickname")).to_be_focused()
    await ann.page.keyboard.type(ann.nickname)
    await ann.page.keyboard.press("Enter")
    await ann.expect_path("/")


@pytest.mark.parametrize(
    ("nickname", "error"),
    [
        ("", "Please choose a nickname"),
        ("   ", "Please choose a nickname"),
        ("\u200b\u202e\u3164", "Please choose a nickname"),
        ("a" * 25, "24 characters at most"),
        ("A\u04cfice", "Use one alphabet in each word"),
        ("Ann \u2713 5m8t7", "looks like a badge"),
    ],
    ids=["empty", "spaces", "invisible", "too long", "mixed alphabets", "badge"],
)
async def test_invalid_nickname_is_refused_beside_the_field(
    world: World, nickname: str, error: str
) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.submit_login(nickname)
    await ann.expect_alert(error)
    await expect(ann.textbox("Nickname")).to_have_value(nickname)
    await expect(ann.textbox("Nickname")).to_be_focused()
    await expect(ann.textbox("Nickname")).to_have_accessible_description(
        await ann.alert(error).inner_text()
    )
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")


async def test_nickname_may_have_24_characters_of_any_script(world: World) -> None:
    for number, character in enumerate(("я", "字", "👩‍🚀", "é")):
        person = await world.person("Ann")
        person.nickname = character * (23 - number)
        await person.sign_in()


@pytest.mark.parametrize("template", ["{0}", "  {0} ", "АNN {1}", "ann {1}", "Ａｎｎ {1}"])
async def test_nickname_similar_to_a_taken_one_is_refused(world: World, template: str) -> None:
    ann = await world.visitor("Ann")
    other = await world.person("Ann")
    await other.open_path("/login")
    nickname = template.format(ann.nickname, ann.nickname.removeprefix("Ann "))
    await other.submit_login(nickname)
    await other.expect_alert("is taken")
    await expect(other.textbox("Nickname")).to_have_value(nickname)


async def test_suggestion_fills_in_a_free_nickname(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.button("Suggest a nickname").click()
    await expect(ann.textbox("Nickname")).to_have_value(re.compile(r"\w+ \w+"))
    first = await ann.textbox("Nickname").input_value()
    await ann.button("Suggest a nickname").click()
    await expect(ann.textbox("Nickname")).not_to_have_value(first)
    chosen = await ann.textbox("Nickname").input_value()
    await ann.button("Enter").click()
    await ann.expect_path("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_contain_text(chosen)


async def test_deep_link_redirects_to_its_room_after_login(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    mira = await world.person("Mira")
    await mira.page.goto(ann.page.url)
    await expect(mira.textbox("Nickname")).to_be_visible()
    await mira.submit_login(mira.nickname)
    await mira.page.wait_for_url(ann.page.url)
    await expect(mira.button("Join room")).to_be_visible()


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "r/x"],
)
async def test_login_never_redirects_to_another_site(world: World, target: str) -> None:
    ann = await world.person("Ann")
    await ann.open_path(f"/login?next={target}")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")


async def test_login_page_redirects_a_signed_in_visitor(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.open_path("/login?next=/privacy")
    await ann.expect_path("/privacy")


async def test_session_cookie_is_http_only_and_same_site(world: World) -> None:
    ann = await world.visitor("Ann")
    (cookie,) = [cookie for cookie in await ann.context.cookies() if cookie["name"] == "anonchat"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/"
    assert await ann.page.evaluate("document.cookie") == ""


async def test_reload_keeps_the_session(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.page.reload()
    await ann.expect_path("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_contain_text(ann.nickname)


async def test_secret_phrase_shows_a_badge_and_restores_the_visitor(
    world: World, room: str
) -> None:
    ann = await world.person("Ann")
    await ann.sign_in(phrase="correct horse battery")
    await ann.open_room(room)
    await ann.post_messages("it is me")
    badge = await ann.message("it is me").locator(".badge").inner_text()
    assert len(badge) > 3

    second_browser = await world.person("Ann")
    second_browser.nickname = ann.nickname
    await second_browser.sign_in(phrase="correct horse battery")
    await expect(second_browser.own_room(room)).to_be_visible()
    await second_browser.own_room(room).get_by_role("link").click()
    await second_browser.expect_room(room)
    await second_browser.expect_message("it is me")
    await second_browser.post_messages("and again")
    await ann.expect_message("and again")
    await expect(ann.members.get_by_role("listitem")).to_have_count(1)
    await expect(ann.members).to_contain_text(badge)


async def test_wrong_secret_phrase_is_refused(world: World) -> None:
    ann = await world.person("Ann")
    await ann.sign_in(phrase="correct horse battery")
    attacker = await world.person("Ann")
    await attacker.open_path("/login")
    await attacker.submit_login(ann.nickname, phrase="incorrect horse")
    await attacker.expect_alert("is taken")
    await expect(attacker.textbox("Secret phrase")).to_have_value("incorrect horse")


async def test_common_secret_phrase_is_refused_beside_its_field(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.submit_login(ann.nickname, phrase="qwertyuiop")
    await ann.expect_alert("too easy to guess")
    await expect(ann.textbox("Secret phrase")).to_be_focused()
    await ann.submit_login(ann.nickname, phrase="correct horse battery")
    await ann.expect_path("/")


async def test_sixth_phrase_attempt_is_rate_limited_and_owner_stays_signed_in(world: World) -> None:
    ann = await world.person("Ann")
    await ann.sign_in(phrase="correct horse battery")
    attacker = await world.person("Ann")
    await attacker.open_path("/login")
    for number in range(5):
        await attacker.submit_login(ann.nickname, phrase=f"incorrect horse {number}")
        await attacker.expect_alert("not its secret phrase")
        await expect(attacker.textbox("Secret phrase")).to_be_focused()
        await attacker.textbox("Secret phrase").blur()
    await attacker.submit_login(ann.nickname, phrase="correct horse battery")
    await attacker.expect_alert("Too many secret phrases")
    await ann.open_path("/")
    await ann.expect_path("/")


async def test_sign_out_ends_every_tab_of_one_browser(world: World, room: str) -> None:
    ann = await world.person("Ann")
    await ann.sign_in(phrase="correct horse battery")
    await ann.open_room(room)
    await ann.fill_message("half a thought")
    first = ann.page
    other = await world.person("Ann")
    other.nickname = ann.nickname
    await other.sign_in(phrase="correct horse battery")
    await ann.open_tab_beside()
    await ann.open_path("/")
    await ann.sign_out()
    await ann.switch_to_tab(first)
    await ann.expect_path("/login")
    cookies = {cookie["name"] for cookie in await ann.context.cookies()}
    assert "anonchat" not in cookies
    await other.open_path("/")
    await expect(other.own_room(room)).to_be_visible()

    bob = ann  # another visitor in the same tab
    await bob.sign_in(f"{ann.nickname} too")
    await bob.open_room(room)
    await expect(bob.message_input).to_have_value("")


async def test_failed_sign_out_shows_an_error_and_keeps_the_session(
    world: World, room: str
) -> None:
    ann = await world.visitor("Ann")
    await ann.open_room(room)
    await ann.fill_message("half a thought")
    ann.ignored_errors = "Failed to load resource"
    await ann.page.route("**/session", lambda route: route.abort())
    await ann.open_settings()
    await ann.button(ann.words.sign_out).click()
    await ann.button(ann.words.sign_out_now).click()
    await ann.expect_alert("could not be signed out")
    await ann.page.reload()
    await expect(ann.message_input).to_have_value("half a thought")
    await ann.page.unroute("**/session")
    await ann.sign_out()


async def test_sign_out_warns_a_visitor_without_secret_phrase(world: World) -> None:
    ann = await world.person("Ann")
    await ann.sign_in()
    await ann.open_settings()
    await ann.button("Sign out").click()
    await expect(ann.page.get_by_role("dialog", name="Sign out")).to_contain_text(
        "You have no secret phrase"
    )
    await ann.button("Yes, sign out").click()
    await ann.expect_path("/login")
    await ann.submit_login(ann.nickname)
    await ann.expect_alert("is taken")


async def test_short_secret_phrase_is_refused_beside_its_field(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.submit_login(ann.nickname, phrase="short")
    await ann.expect_alert("8 to 200 characters")
    await expect(ann.textbox("Secret phrase")).to_be_focused()
    await expect(ann.textbox("Nickname")).to_have_value(ann.nickname)


async def test_forget_me_removes_everything_from_every_page(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("remember me")
    await mira.post_messages("I shall")
    await mira.expect_message("remember me")
    first = ann.page
    await ann.open_tab_beside()
    await ann.open_path("/")
    await ann.forget_me()
    await ann.expect_path("/login")
    await expect(ann.page.get_by_text("You are forgotten.")).to_have_role("status")
    await ann.switch_to_tab(first)
    await ann.expect_path("/login")
    await expect(ann.page.get_by_text("You are forgotten.")).to_be_visible()
    await ann.page.reload()
    await expect(ann.button("Enter")).to_be_enabled()
    await expect(ann.page.get_by_text("You are forgotten.")).to_have_count(0)

    await mira.expect_no_message("remember me")
    await expect(mira.members).not_to_contain_text(ann.nickname)
    await mira.expect_messages("I shall")

    await ann.open_path("/")
    await ann.expect_path("/login")
    newcomer = await world.person("Newcomer")
    await newcomer.sign_in(ann.nickname)
    await expect(newcomer.region("Your rooms")).to_contain_text("You are in no room yet")


async def test_login_form_needs_no_socket(world: World) -> None:
    wire = await world.wire()
    ann = await world.person("Ann", wire=wire)
    wire.hold_websockets()
    await ann.open_path("/login")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")
    wire.release_websockets()


async def _cut_request(route: Route) -> None:
    await route.abort()


async def _cut_response(route: Route) -> None:
    await route.fetch()
    await route.request.frame.page.context.clear_cookies()  # `fetch` has stored them
    await route.abort()


async def _fail(route: Route) -> None:
    await route.fulfill(status=500)


async def _forbid(route: Route) -> None:
    await route.fulfill(status=403)


@pytest.mark.parametrize("fault", [_cut_request, _cut_response, _fail, _forbid])
@pytest.mark.parametrize("reload", [False, True], ids=["same page", "reloaded"])
async def test_failed_sign_in_is_reported_and_can_be_repeated(
    world: World, fault: Callable[[Route], Awaitable[None]], reload: bool
) -> None:
    ann = await world.person("Ann")
    ann.ignored_errors = "Failed to load resource"
    await ann.open_path("/login")
    await ann.page.route("**/session", fault)
    await ann.submit_login(ann.nickname)
    await ann.expect_alert("You could not be signed in. Please try again.")
    await expect(ann.textbox("Nickname")).to_be_focused()
    await ann.page.unroute("**/session")
    if reload:
        await ann.page.reload()
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")


async def test_failed_sign_in_keeps_no_nickname_if_another_is_chosen(world: World) -> None:
    ann, bob = await world.person("Ann"), await world.person("Bob")
    ann.ignored_errors = "Failed to load resource"
    await ann.open_path("/login")
    await ann.page.route("**/session", _cut_response)
    await ann.submit_login(bob.nickname)
    await ann.expect_alert("You could not be signed in. Please try again.")
    await ann.page.unroute("**/session")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")
    await bob.sign_in()


async def test_sign_in_continues_a_plain_form_that_was_sent_before_the_scripts_ran(
    world: World,
) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.textbox("Nickname").fill(ann.nickname)
    await ann.page.evaluate("""() => {
        const body = new URLSearchParams(new FormData(document.querySelector("form")));
        return fetch("session", { method: "POST", body, redirect: "manual" });
    }""")
    await ann.context.clear_cookies()
    await ann.button("Enter").click()
    await ann.expect_path("/")


async def test_second_submit_is_ignored_while_the_first_is_answered(world: World) -> None:
    ann = await world.person("Ann")
    requests: list[str] = []
    ann.page.on("request", lambda request: requests.append(f"{request.method} {request.url}"))
    await ann.open_path("/login")
    await ann.textbox("Nickname").fill(ann.nickname)
    await ann.button("Enter").dblclick()
    await ann.expect_path("/")
    assert requests.count(f"POST {ann.home}/session") == 1


async def test_sign_in_without_cookies_says_what_is_needed(world: World) -> None:
    async def drop_cookie(route: Route) -> None:
        response = await route.fetch()
        await ann.context.clear_cookies()  # `fetch` has stored them
        await route.fulfill(status=response.status)

    ann = await world.person("Ann")
    ann.ignored_errors = "Failed to load resource"
    await ann.open_path("/login")
    await ann.page.route("**/session", drop_cookie)
    await ann.submit_login(ann.nickname)
    await ann.expect_alert("Allow cookies for this site")
    await ann.page.unroute("**/session")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")


async def test_login_form_works_without_scripts(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    mira = await world.person("Mira", java_script_enabled=False)
    await mira.page.goto(ann.page.url)
    await expect(mira.button("Suggest a nickname")).to_be_hidden()
    await mira.submit_login(mira.nickname, phrase="correct horse battery")
    await expect(mira.page).to_have_url(ann.page.url.replace("/r/", "/lite/"))
    (cookie,) = await mira.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("anonchat", True, "Lax")
    await expect(mira.button("Join room")).to_be_visible()


@pytest.mark.parametrize(
    ("nickname", "phrase", "error", "field"),
    [
        ("a" * 25, "", "24 characters at most", "Nickname"),
        ("<b>\"Ann'&amp;", "short", "8 to 200 characters", "Secret phrase"),
    ],
    ids=["nickname", "phrase"],
)
async def test_refused_login_form_is_shown_again_without_scripts(
    world: World, nickname: str, phrase: str, error: str, field: str
) -> None:
    ann = await world.person("Ann", java_script_enabled=False)
    ann.ignored_errors = "422"
    await ann.open_path("/login?next=/privacy")
    await ann.submit_login(nickname, phrase=phrase)
    await ann.expect_alert(error)
    await expect(ann.textbox("Nickname")).to_have_value(nickname)
    await expect(ann.page.locator("[name=phrase]")).to_have_value("")
    await expect(ann.textbox(field)).to_be_focused()
    await expect(ann.textbox(field)).to_have_attribute("aria-invalid", "true")
    await expect(ann.textbox(field)).to_have_accessible_description(re.compile(error))
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/privacy")


async def test_submit_button_is_busy_while_signing_in(world: World) -> None:
    may_answer = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_answer.wait()
        await route.continue_()

    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.page.route("**/session", hold)
    await ann.submit_login("Ann \u2713 5m8t7")
    await expect(ann.button("Enter")).to_have_attribute("aria-busy", "true")
    may_answer.set()
    await ann.expect_alert("looks like a badge")
    await expect(ann.button("Enter")).to_have_attribute("aria-busy", "false")


async def test_secret_phrase_is_shown_and_hidden_by_a_button(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.page.locator("summary").click()
    field, button = ann.textbox("Secret phrase"), ann.button("Show the phrase")
    await field.fill("correct horse battery")
    for is_shown in (False, True, False):
        await expect(button).to_have_attribute("aria-pressed", str(is_shown).lower())
        style = "none" if is_shown else "disc"
        await expect(field).to_have_css("-webkit-text-security", style)
        await button.press("Enter")
    await expect(field).to_have_value("correct horse battery")


async def test_secret_phrase_is_added_in_the_settings(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("before")
    await ann.open_settings()
    await ann.button("Add a secret phrase").click()
    await ann.textbox("Secret phrase").fill("qwertyuiop")
    await ann.button("Add the phrase").click()
    await ann.expect_alert("too easy to guess")
    await expect(ann.textbox("Secret phrase")).to_be_focused()
    await ann.textbox("Secret phrase").fill("correct horse battery")
    await ann.button("Add the phrase").click()
    status = ann.dialog.get_by_role("status")
    await expect(status).to_be_focused()
    badge = await status.locator(".badge").inner_text()
    await expect(ann.textbox("Secret phrase")).to_have_count(0)
    await ann.page.keyboard.press("Escape")

    await expect(ann.page.locator(".me")).to_contain_text(badge)
    row = mira.members.get_by_role("listitem").filter(has_text=ann.nickname)
    await expect(row.locator(".badge")).to_have_text(badge)
    await ann.post_messages("after")
    await mira.expect_messages("before", "after")
    await expect(mira.message("before").locator(".badge")).to_have_count(0)
    await expect(mira.message("after").locator(".badge")).to_have_text(badge)
    await ann.open_settings()
    await expect(ann.dialog).to_contain_text(badge)
    await expect(ann.button("Add a secret phrase")).to_have_count(0)
    await ann.page.keyboard.press("Escape")
    await ann.sign_out()
    await ann.submit_login(ann.nickname, phrase="correct horse battery")
    await ann.expect_path("/")
    await expect(ann.own_room(room)).to_be_visible()


async def test_login_of_an_invited_stranger_names_a_public_room(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.open_room(room)
    public = ann.page.url
    await ann.button("New room").click()
    await ann.textbox("Name").fill(f"{room} too")
    await ann.dialog.get_by_label("Who can find it").select_option("no")
    await ann.button("Create the room").click()
    await ann.expect_room(f"{room} too")
    stranger = await world.person("Stranger")
    await stranger.page.goto(ann.page.url)
    await expect(stranger.button("Enter")).to_be_visible()
    await expect(stranger.page.locator("body")).not_to_contain_text(room)
    await stranger.page.goto(public)
    invitation = f"This link leads to “{room}”, a public room."
    await expect(stranger.page.get_by_text(invitation)).to_be_visible()
    await stranger.submit_login(stranger.nickname)
    await expect(stranger.button("Join room")).to_be_visible()


async def test_login_of_an_invited_stranger_names_a_room_in_another_script(world: World) -> None:
    room = world.name("ночной поезд")
    ann = await world.visitor("Ann")
    await ann.open_room(room)
    stranger = await world.person("Stranger", words=RUSSIAN, locale="ru-RU")
    await stranger.page.goto(ann.page.url)
    invitation = f"Эта ссылка ведёт в открытую комнату «{room}»."
    await expect(stranger.page.get_by_text(invitation)).to_be_visible()
