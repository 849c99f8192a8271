"""Cut cables, sleeping phones and servers that fall over: every screen ends up right."""

import asyncio
import itertools

import pytest
from playwright.async_api import expect

from tests.browser.person import BROKEN_LINE, Person
from tests.browser.world import World

SETTINGS = {"page_size": "15"}
RECONNECTING = "Reconnecting"


async def test_a_cut_screen_catches_up_in_order_without_doubles(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    await mira.says("before")
    await ann.sees("before")
    await ann.types("half a thought")
    wire.cut()
    await expect(ann.page.get_by_role("status")).to_contain_text(RECONNECTING)
    await mira.says("one", "two", "three")
    await ann.has_heard("before")
    wire.mend()
    await ann.has_heard("before", "one", "two", "three")
    await ann.is_connected()
    await expect(ann.box).to_have_value("half a thought")
    await mira.says("four")
    await ann.box.press("Enter")
    await mira.sees("half a thought")
    for person in (ann, mira):
        await person.eventually(
            lambda person=person: _sorted(person),
            sorted(["before", "one", "two", "three", "four", "half a thought"]),
        )


async def test_what_is_posted_while_cut_arrives_exactly_once(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    wire.cut()
    await expect(ann.page.get_by_role("status")).to_contain_text(RECONNECTING)
    await ann.sends("into the void")
    await ann.sends("and again")
    await expect(ann.pending("into the void")).to_be_visible()
    wire.mend()
    await mira.has_heard("into the void", "and again")
    await ann.has_heard("into the void", "and again")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)


async def test_what_is_posted_before_the_socket_is_there_arrives_exactly_once(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    wire.hold_sockets()
    await ann.page.reload()
    await ann.sends("am I early?")
    await expect(ann.pending("am I early?")).to_be_visible()
    await mira.says("nobody here")
    wire.cut()
    wire.mend()
    await mira.has_heard("nobody here", "am I early?")
    await ann.has_heard("nobody here", "am I early?")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)


async def test_a_post_whose_answer_was_lost_arrives_exactly_once(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    wire.swallow_answers()
    await ann.sends("did you get that?")
    await mira.sees("did you get that?")
    await expect(ann.pending("did you get that?")).to_be_visible()
    wire.cut()
    await expect(ann.page.get_by_role("status")).to_contain_text(RECONNECTING)
    wire.mend()
    await ann.has_heard("did you get that?")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await mira.says("yes")
    await mira.has_heard("did you get that?", "yes")
    await ann.has_heard("did you get that?", "yes")


async def test_a_post_on_its_way_survives_a_reload(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    wire.swallow_answers()
    await ann.sends("did you get that?")
    await mira.sees("did you get that?")
    wire.mend()
    await ann.page.reload()
    await ann.has_heard("did you get that?")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await mira.has_heard("did you get that?")


async def test_a_cut_with_more_news_than_a_page_holds_shows_the_newest(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    await mira.says("before")
    await ann.sees("before")
    wire.cut()
    said = ["before", *(f"line {number}" for number in range(40))]
    for text in said[1:]:
        await mira.sends(text)
    await mira.has_heard(*said)
    wire.mend()
    await ann.sees("line 39")
    rows = ann.log.locator("[data-key]")
    for _ in range(10):
        if await rows.count() == len(said):
            break
        shown = await rows.count()
        await ann.log.evaluate("(log) => (log.scrollTop = 0)")
        await expect(rows.nth(shown)).to_be_attached()
    await ann.has_heard(*said)


async def test_what_was_forgotten_during_a_cut_is_gone_afterwards(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    await ann.says("mine")
    await mira.says("hers")
    await ann.has_heard("mine", "hers")
    wire.cut()
    await mira.asks_to_be_forgotten()
    await mira.is_at("/login")
    wire.mend()
    await ann.has_heard("mine")
    await expect(ann.members).not_to_contain_text(mira.nickname)


async def test_a_member_who_left_elsewhere_during_a_cut_is_shown_out(
    world: World, room: str
) -> None:
    wire = await world.wire()
    ann = await _on(world, wire, room)
    wire.cut()
    (cookie,) = await ann.context.cookies()
    twin = await world.person("Ann")
    await twin.context.add_cookies([cookie])  # cookies know hosts, not ports: the same visitor
    await twin.goes_to("/")
    await twin.own_room(room).get_by_role("link").click()
    await twin.is_in(room)
    await twin.leaves()
    wire.mend()
    await ann.is_at("/")


async def test_a_member_who_left_and_came_again_during_a_cut_hears_everything(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    wire.cut()
    (cookie,) = await ann.context.cookies()
    twin = await world.person("Ann")
    await twin.context.add_cookies([cookie])  # cookies know hosts, not ports: the same visitor
    await twin.goes_to("/")
    await twin.own_room(room).get_by_role("link").click()
    await twin.is_in(room)
    await twin.leaves()
    await twin.opens(room)
    await mira.says("welcome back")
    wire.mend()
    await ann.has_heard("welcome back")
    await mira.says("are you there?")
    await ann.has_heard("welcome back", "are you there?")


async def test_leaving_at_once_after_coming_leads_to_the_lobby(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    address = ann.page.url
    for _ in range(4):
        await ann.leaves()
        await ann.page.goto(address)
        await ann.joins()


async def test_a_blink_makes_nobody_go_away(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    await mira.page.evaluate(
        """() => { window.flapped = []; new MutationObserver((changes) => {
        for (const node of changes.flatMap((change) => [...change.addedNodes]))
            if (node.classList?.contains("away")) flapped.push(node.textContent);
        }).observe(document.querySelector("[aria-label=Members].feed"), {childList: true}); }"""
    )
    wire.cut()
    wire.mend()
    await mira.says("still there?")
    await ann.has_heard("still there?")
    await ann.says("yes")
    await mira.sees("yes")
    assert await mira.page.evaluate("flapped") == []


async def test_one_who_is_cut_off_for_long_is_shown_as_away_and_comes_back(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    seat = mira.members.get_by_role("listitem").filter(has_text=ann.nickname)
    await expect(seat.get_by_text("away")).to_have_count(0)
    wire.cut()
    await expect(seat.get_by_text("away")).to_have_count(1)
    wire.mend()
    await expect(seat.get_by_text("away")).to_have_count(0)


async def test_many_cuts_at_any_time_lose_and_double_nothing(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    # No more than a page holds: who had to load the page anew sees its newest messages.
    said = [f"{number} by {name}" for number in range(7) for name in ("Ann", "Mira")]

    async def talk(person: Person, texts: list[str]) -> None:
        for text in texts:
            await person.sends(text)
            await person.page.wait_for_timeout(300)

    async def saw() -> None:
        for whole in itertools.islice(itertools.cycle((0.15, 0.4, 0.05, 0.3)), 6):
            await asyncio.sleep(whole)
            wire.cut()
            await asyncio.sleep(0.2)
            wire.mend()

    await asyncio.gather(talk(ann, said[::2]), talk(mira, said[1::2]), saw())
    for person in (ann, mira):
        await person.eventually(lambda person=person: _sorted(person), sorted(said))
        await expect(person.log.locator("[data-pending]")).to_have_count(0)
    assert await ann.hears() == await mira.hears()


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_a_restart_of_the_server_costs_nobody_anything(
    world: World, room: str, way: str
) -> None:
    house = world.house
    ann, mira = await world.members(room, "Ann", "Mira")
    ann.forgives = mira.forgives = BROKEN_LINE
    await ann.says("before the fall")
    await mira.has_heard("before the fall")
    await ann.types("half a thought")
    await (house.kill() if way == "kill" else house.stop())
    await expect(mira.page.get_by_role("status")).to_contain_text(RECONNECTING)
    await mira.sends("is anybody there?")
    await expect(mira.pending("is anybody there?")).to_be_visible()
    await house.start()
    for person in (ann, mira):
        await person.has_heard("before the fall", "is anybody there?")
        await expect(person.log.locator("[data-pending]")).to_have_count(0)
    await expect(ann.box).to_have_value("half a thought")
    await ann.box.press("Enter")
    await mira.has_heard("before the fall", "is anybody there?", "half a thought")
    await expect(ann.members.get_by_role("listitem").get_by_text("away")).to_have_count(0)


async def test_the_lobby_catches_up_after_a_cut(world: World, room: str) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    own = world.name("own room")
    await ann.opens(own)
    (mira,) = await world.members(own, "Mira")
    await ann.goes_to("/")
    await expect(ann.own_room(own)).to_contain_text("1 here")
    wire.cut()
    await mira.says("one", "two")
    await mira.goes_to("/")
    await mira.opens(room)
    await expect(ann.public_room(room)).to_have_count(0)
    wire.mend()
    await expect(ann.public_room(room)).to_contain_text("1 here")
    await expect(ann.own_room(own)).to_contain_text("2 unread")


async def test_a_cut_longer_than_the_server_remembers_screens(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _on(world, wire, room)
    await ann.says("before")
    await ann.types("half a thought")
    wire.cut()
    await mira.says("one")
    await mira.page.wait_for_timeout(21_000)  # the server forgets a lost screen after 20 s
    await mira.says("two")
    wire.mend()
    await ann.has_heard("before", "one", "two")
    await expect(ann.box).to_have_value("half a thought")
    await ann.says("half a thought, and the rest")
    await mira.has_heard("before", "one", "two", "half a thought, and the rest")


async def _on(world: World, wire: object, room: str) -> Person:
    """Let Ann into the room over a wire that may break."""
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    await ann.opens(room)
    await ann.is_connected()
    return ann


async def _sorted(person: Person) -> list[str]:
    return sorted(await person.hears())
