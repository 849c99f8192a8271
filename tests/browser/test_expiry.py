"""Messages leave every screen on time, wherever it is."""

from playwright.async_api import expect

from tests.browser.person import BROKEN_LINE
from tests.browser.world import World

SETTINGS = {"message_ttl": "10s", "janitor_interval": "2s"}


async def test_a_message_goes_on_time_from_every_screen_also_from_one_that_is_offline(
    world: World, room: str
) -> None:
    wire = await world.wire()
    ann, mira = await world.members(room, "Ann", "Mira")
    zoe = await world.visitor("Zoë", wire=wire)
    zoe.forgives = BROKEN_LINE
    await zoe.opens(room)
    await ann.says("now or never")
    for person in (mira, zoe):
        await person.sees("now or never")
        await expect(person.message("now or never").get_by_text("0:0")).to_be_visible()
    await zoe.context.set_offline(True)
    wire.cut()
    for person in (ann, mira, zoe):
        await person.sees_no("now or never")
        assert "now or never" not in await person.page.content()
    await expect(ann.own_room(room)).to_contain_text("room ends")
    await zoe.context.set_offline(False)
    wire.mend()
    await zoe.is_connected()
    await ann.says("later")
    await zoe.has_heard("later")
    await mira.page.reload()
    await mira.has_heard("later")


async def test_a_message_whose_end_came_before_its_answer_does_not_stay_pending(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    await ann.opens(room)
    await ann.is_connected()
    wire.swallow_answers()
    await ann.sends("fleeting")
    await mira.sees("fleeting")
    await expect(ann.pending("fleeting")).to_be_visible()
    wire.cut()
    await mira.sees_no("fleeting")
    wire.mend()
    await ann.is_connected()
    await mira.says("still here")
    await ann.has_heard("still here")
    await ann.sees_no("fleeting")
    await mira.sees_no("fleeting")


async def test_what_was_not_sent_in_time_is_sent_once_by_one_click(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = BROKEN_LINE
    await ann.opens(room)
    await ann.is_connected()
    wire.cut()
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await ann.sends("into the void")
    await ann.page.wait_for_timeout(11_000)  # longer than a message lives
    wire.mend()
    await ann.is_told("not sent in time")
    await expect(ann.box).to_have_value("into the void")
    await mira.says("nobody here")
    assert "into the void" not in await mira.hears()
    await ann.button("Send").click()
    await mira.sees("into the void")
    await mira.says("there you are")
    assert (await mira.hears()).count("into the void") <= 1
    await expect(ann.box).to_have_value("")


async def test_what_was_stored_after_all_is_not_said_twice_by_trying_again(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.visitor("Ann", wire=wire)
    ann.forgives = mira.forgives = BROKEN_LINE
    await ann.opens(room)
    await ann.is_connected()
    wire.hold()
    await ann.sends("did you get that?")
    await ann.page.wait_for_timeout(7_000)
    wire.swallow_answers()
    wire.release()
    await mira.sees("did you get that?")
    await world.house.kill()
    await ann.page.wait_for_timeout(3_500)  # now it waits for longer than a message lives
    wire.mend()
    await world.house.start()
    await ann.is_told("not sent in time")
    await ann.button("Send").click()
    await mira.says("yes")
    assert (await mira.hears()).count("did you get that?") <= 1
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)


async def test_a_dialog_offers_the_usual_life_first(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    chosen = ann.page.get_by_role("combobox", name="Messages disappear after", exact=True)
    await expect(chosen.locator("option:checked")).to_have_text("10 sec")


async def test_the_life_of_a_message_is_seen_to_shrink(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("going, going")
    shares: list[float] = await ann.message("going, going").evaluate(
        """(row) => new Promise((done) => {
            const seen = [];
            const look = () => {
                if (!row.isConnected) return done(seen);
                const [, size] = getComputedStyle(row, "::before").backgroundSize.split(" ");
                seen.push(parseFloat(size) / 100);
                setTimeout(look, 200);
            };
            look();
        })"""
    )
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.8
    assert shares[-1] < 0.2


async def test_a_quiet_room_keeps_nothing_moving(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("hush")
    long = "document.getAnimations().filter((one) => one.effect.getTiming().duration > 1000)"
    assert await ann.page.evaluate(f"{long}.length") == 0
