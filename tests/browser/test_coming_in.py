"""Coming in, being recognised, being forgotten."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World


async def test_a_nickname_is_all_it_takes(world: World) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/")
    await ann.is_at("/login")
    await ann.gives(ann.nickname)
    await ann.is_at("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_contain_text(ann.nickname)


async def test_enter_sends_the_form(world: World) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/login")
    await expect(ann.textbox("Nickname")).to_be_focused()
    await ann.page.keyboard.type(ann.nickname)
    await ann.page.keyboard.press("Enter")
    await ann.is_at("/")


@pytest.mark.parametrize(
    ("nickname", "reason"),
    [
        ("", "Please choose a nickname"),
        ("   ", "Please choose a nickname"),
        ("\u200b\u202e\u3164", "Please choose a nickname"),
        ("a" * 25, "24 characters at most"),
        ("A\u04cfice", "Use one alphabet in each word"),
        ("Ann \u2713 5m8t7", "looks like a badge"),
    ],
    ids=["empty", "spaces", "invisible", "too long", "mixed", "badge"],
)
async def test_a_nickname_that_nobody_could_read_is_refused_beside_the_field(
    world: World, nickname: str, reason: str
) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/login")
    await ann.gives(nickname)
    await ann.is_told(reason)
    await expect(ann.textbox("Nickname")).to_have_value(nickname)
    await expect(ann.textbox("Nickname")).to_be_focused()
    await expect(ann.textbox("Nickname")).to_have_accessible_description(
        await ann.alert(reason).inner_text()
    )
    await ann.gives(ann.nickname)
    await ann.is_at("/")


async def test_24_characters_of_any_script_are_a_nickname(world: World) -> None:
    for number, sign in enumerate(("я", "字", "👩‍🚀", "é")):
        person = await world.person("Ann")
        person.nickname = sign * (23 - number)
        await person.comes_in()


@pytest.mark.parametrize("twin", ["{0}", "  {0} ", "АNN {1}", "ann {1}", "Ａｎｎ {1}"])
async def test_a_nickname_that_looks_like_a_taken_one_is_taken(world: World, twin: str) -> None:
    ann = await world.visitor("Ann")
    other = await world.person("Ann")
    await other.goes_to("/login")
    wish = twin.format(ann.nickname, ann.nickname.removeprefix("Ann "))
    await other.gives(wish)
    await other.is_told("is taken")
    await expect(other.textbox("Nickname")).to_have_value(wish)


async def test_a_suggestion_fills_in_a_free_nickname(world: World) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/login")
    await ann.button("Suggest a nickname").click()
    await expect(ann.textbox("Nickname")).to_have_value(re.compile(r"\w+ \w+"))
    first = await ann.textbox("Nickname").input_value()
    await ann.button("Suggest a nickname").click()
    await expect(ann.textbox("Nickname")).not_to_have_value(first)
    chosen = await ann.textbox("Nickname").input_value()
    await ann.button("Enter").click()
    await ann.is_at("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_contain_text(chosen)


async def test_a_deep_link_leads_through_the_login_to_where_one_was_going(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    mira = await world.person("Mira")
    await mira.page.goto(ann.page.url)
    await expect(mira.textbox("Nickname")).to_be_visible()
    await mira.gives(mira.nickname)
    await mira.page.wait_for_url(ann.page.url)
    await expect(mira.button("Join room")).to_be_visible()


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "r/x"],
)
async def test_one_is_never_sent_to_another_site(world: World, target: str) -> None:
    ann = await world.person("Ann")
    await ann.goes_to(f"/login?next={target}")
    await ann.gives(ann.nickname)
    await ann.is_at("/")


async def test_one_who_is_known_need_not_come_in_again(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.goes_to("/login?next=/privacy")
    await ann.is_at("/privacy")


async def test_the_token_is_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    ann = await world.visitor("Ann")
    (cookie,) = [cookie for cookie in await ann.context.cookies() if cookie["name"] == "anonchat"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/"
    assert await ann.page.evaluate("document.cookie") == ""


async def test_a_reload_keeps_one_who_one_is(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.page.reload()
    await ann.is_at("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_contain_text(ann.nickname)


async def test_a_secret_phrase_shows_as_a_badge_and_brings_one_back(
    world: World, room: str
) -> None:
    ann = await world.person("Ann")
    await ann.comes_in(phrase="correct horse battery")
    await ann.opens(room)
    await ann.says("it is me")
    badge = await ann.message("it is me").locator(".badge").inner_text()
    assert len(badge) > 3

    again = await world.person("Ann")
    again.nickname = ann.nickname
    await again.comes_in(phrase="correct horse battery")
    await expect(again.own_room(room)).to_be_visible()
    await again.own_room(room).get_by_role("link").click()
    await again.is_in(room)
    await again.sees("it is me")
    await again.says("and again")
    await ann.sees("and again")
    await expect(ann.members.get_by_role("listitem")).to_have_count(1)
    await expect(ann.members).to_contain_text(badge)


async def test_a_wrong_phrase_opens_nothing(world: World) -> None:
    ann = await world.person("Ann")
    await ann.comes_in(phrase="correct horse battery")
    thief = await world.person("Ann")
    await thief.goes_to("/login")
    await thief.gives(ann.nickname, phrase="incorrect horse")
    await thief.is_told("is taken")
    await expect(thief.textbox("Secret phrase")).to_have_value("incorrect horse")


async def test_a_common_phrase_is_refused_beside_its_field(world: World) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/login")
    await ann.gives(ann.nickname, phrase="qwertyuiop")
    await ann.is_told("too easy to guess")
    await expect(ann.textbox("Secret phrase")).to_be_focused()
    await ann.gives(ann.nickname, phrase="correct horse battery")
    await ann.is_at("/")


async def test_a_sixth_wrong_phrase_is_told_to_wait_and_the_holder_stays_in(world: World) -> None:
    ann = await world.person("Ann")
    await ann.comes_in(phrase="correct horse battery")
    thief = await world.person("Ann")
    await thief.goes_to("/login")
    for number in range(5):
        await thief.gives(ann.nickname, phrase=f"incorrect horse {number}")
        await thief.is_told("not its secret phrase")
        await expect(thief.textbox("Secret phrase")).to_be_focused()
        await thief.textbox("Secret phrase").blur()
    await thief.gives(ann.nickname, phrase="correct horse battery")
    await thief.is_told("Too many secret phrases")
    await ann.goes_to("/")
    await ann.is_at("/")


async def test_signing_out_ends_every_tab_of_one_browser(world: World, room: str) -> None:
    ann = await world.person("Ann")
    await ann.comes_in(phrase="correct horse battery")
    await ann.opens(room)
    await ann.types("half a thought")
    first = ann.page
    other = await world.person("Ann")
    other.nickname = ann.nickname
    await other.comes_in(phrase="correct horse battery")
    await ann.opens_tab()
    await ann.goes_to("/")
    await ann.signs_out()
    await ann.turns_to(first)
    await ann.is_at("/login")
    cookies = {cookie["name"] for cookie in await ann.context.cookies()}
    assert "anonchat" not in cookies
    await other.goes_to("/")
    await expect(other.own_room(room)).to_be_visible()

    bob = ann  # in the same tab, another person
    await bob.comes_in(f"{ann.nickname} too")
    await bob.opens(room)
    await expect(bob.box).to_have_value("")


async def test_who_could_not_be_signed_out_stays_and_is_told(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.opens(room)
    await ann.types("half a thought")
    ann.forgives = "Failed to load resource"
    await ann.page.route("**/session", lambda route: route.abort())
    await ann.opens_settings()
    await ann.button(ann.words.sign_out).click()
    await ann.button(ann.words.sign_out_now).click()
    await ann.is_told("could not be signed out")
    await ann.page.reload()
    await expect(ann.box).to_have_value("half a thought")
    await ann.page.unroute("**/session")
    await ann.signs_out()


async def test_signing_out_warns_who_has_no_phrase(world: World) -> None:
    ann = await world.person("Ann")
    await ann.comes_in()
    await ann.opens_settings()
    await ann.button("Sign out").click()
    await expect(ann.page.get_by_role("dialog", name="Sign out")).to_contain_text(
        "You have no secret phrase"
    )
    await ann.button("Yes, sign out").click()
    await ann.is_at("/login")
    await ann.gives(ann.nickname)
    await ann.is_told("is taken")


async def test_a_phrase_that_is_too_short_is_refused_beside_its_field(world: World) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/login")
    await ann.gives(ann.nickname, phrase="short")
    await ann.is_told("8 to 200 characters")
    await expect(ann.textbox("Secret phrase")).to_be_focused()
    await expect(ann.textbox("Nickname")).to_have_value(ann.nickname)


async def test_forget_me_takes_everything_along_on_every_screen(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.says("remember me")
    await mira.says("I shall")
    await mira.sees("remember me")
    first = ann.page
    await ann.opens_tab()
    await ann.goes_to("/")
    await ann.asks_to_be_forgotten()
    await ann.is_at("/login")
    await ann.turns_to(first)
    await ann.is_at("/login")

    await mira.sees_no("remember me")
    await expect(mira.members).not_to_contain_text(ann.nickname)
    await mira.has_heard("I shall")

    await ann.goes_to("/")
    await ann.is_at("/login")
    newcomer: Person = await world.person("Newcomer")
    await newcomer.comes_in(ann.nickname)
    await expect(newcomer.region("Your rooms")).to_contain_text("You are in no room yet")


async def test_a_form_that_is_quicker_than_its_socket_still_lets_one_in(world: World) -> None:
    wire = await world.wire()
    ann = await world.person("Ann", wire=wire)
    wire.hold_sockets()
    await ann.goes_to("/login")
    await ann.gives(ann.nickname)
    await expect(ann.textbox("Nickname")).to_have_value(ann.nickname)
    wire.release_sockets()
    await ann.is_at("/")
