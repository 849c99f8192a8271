"""Messages disappear from every page when they expire, online or offline."""

from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS
from tests.browser.world import World

SETTINGS = {"message_ttl": "10s", "janitor_interval": "2s"}


async def test_message_expires_on_every_page_even_offline(world: World, room: str) -> None:
    wire = await world.wire()
    ann, mira = await world.members(room, "Ann", "Mira")
    zoe = await world.visitor("Zoë", wire=wire)
    zoe.ignored_errors = CONNECTION_ERRORS
    await zoe.open_room(room)
    await ann.post_messages("now or never")
    for person in (mira, zoe):
        await person.expect_message("now or never")
        await expect(person.message("now or never").get_by_text("0:0")).to_be_visible()
    await zoe.context.set_offline(True)
    wire.disconnect()
    for person in (ann, mira, zoe):
        await person.expect_no_message("now or never")
        assert "now or never" not in await person.page.content()
    await expect(ann.own_room(room)).to_contain_text("room ends")
    await zoe.context.set_offline(False)
    wire.restore()
    await zoe.expect_connected()
    await ann.post_messages("later")
    await zoe.expect_messages("later")
    await mira.page.reload()
    await mira.expect_messages("later")


async def test_found_message_expires_in_the_results_even_offline(world: World, room: str) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.button("Search").click()
    await ann.dialog.get_by_role("searchbox").focus()
    (mira,) = await world.members(room, "Mira")
    await mira.post_messages("now or never")
    await ann.page.keyboard.type("never")
    found = ann.dialog.get_by_role("list", name="Results").get_by_role("listitem")
    await expect(found).to_have_count(1)
    await ann.context.set_offline(True)
    wire.disconnect()
    await expect(found).to_have_count(0)
    await expect(ann.dialog.get_by_role("status")).to_contain_text("Nothing was found")
    await ann.context.set_offline(False)
    wire.restore()


async def test_messages_that_came_and_went_unread_are_counted_once(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    address = mira.page.url
    await mira.open_path("/")
    await ann.post_messages("one", "two", "three")
    await ann.expect_messages()
    await expect(mira.own_room(room)).to_contain_text("room ends")  # the last one has expired
    await mira.page.goto(address)
    missed = mira.page.get_by_text("3 messages came and went while you were away")
    await expect(missed).to_be_visible()
    await mira.expect_connected()

    async def count_again() -> int:
        await mira.page.reload()
        await mira.expect_room(room)
        await mira.expect_connected()
        return await mira.page.get_by_text("came and went").count()

    await mira.expect_eventually(count_again, 0)


async def test_message_that_expired_before_its_response_does_not_stay_pending(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.expect_connected()
    wire.drop_responses()
    await ann.send_message("fleeting")
    await mira.expect_message("fleeting")
    await expect(ann.pending("fleeting")).to_be_visible()
    wire.disconnect()
    await mira.expect_no_message("fleeting")
    wire.restore()
    await ann.expect_connected()
    await mira.post_messages("still here")
    await ann.expect_messages("still here")
    await ann.expect_no_message("fleeting")
    await mira.expect_no_message("fleeting")


async def test_message_that_expired_unsent_is_posted_once_by_one_click(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.expect_connected()
    wire.disconnect()
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await ann.send_message("into the void")
    await ann.page.wait_for_timeout(11_000)  # longer than message_ttl
    wire.restore()
    await ann.expect_alert("not sent in time")
    await expect(ann.message_input).to_have_value("into the void")
    await mira.post_messages("nobody here")
    assert "into the void" not in await mira.message_texts()
    await ann.button("Send").click()
    await mira.expect_message("into the void")
    await mira.post_messages("there you are")
    assert (await mira.message_texts()).count("into the void") <= 1
    await expect(ann.message_input).to_have_value("")


async def test_stored_message_is_not_duplicated_by_a_retry(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = mira.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.expect_connected()
    wire.hold()
    await ann.send_message("did you get that?")
    await ann.page.wait_for_timeout(7_000)
    wire.drop_responses()
    wire.release()
    await mira.expect_message("did you get that?")
    world.server_process.kill()
    await ann.page.wait_for_timeout(3_500)  # the message is now older than message_ttl
    wire.restore()
    await world.server_process.start()
    await ann.expect_alert("not sent in time")
    await ann.button("Send").click()
    await mira.post_messages("yes")
    assert (await mira.message_texts()).count("did you get that?") <= 1
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)


async def test_new_room_dialog_selects_the_default_message_ttl(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    select = ann.page.get_by_role("combobox", name="Messages disappear after", exact=True)
    await expect(select.locator("option:checked")).to_have_text("10 sec")


async def test_message_countdown_bar_shrinks(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("going, going")
    fractions: list[float] = await ann.message("going, going").evaluate(
        """(row) => new Promise((done) => {
            const fractions = [];
            const measure = () => {
                if (!row.isConnected) return done(fractions);
                const [, size] = getComputedStyle(row, "::before").backgroundSize.split(" ");
                fractions.push(parseFloat(size) / 100);
                setTimeout(measure, 200);
            };
            measure();
        })"""
    )
    assert fractions == sorted(fractions, reverse=True)
    assert fractions[0] > 0.8
    assert fractions[-1] < 0.2


async def test_inactive_room_runs_no_long_animation(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("hush")
    long_animations = (
        "document.getAnimations().filter(({effect}) => effect.getTiming().duration > 1000)"
    )
    assert await ann.page.evaluate(f"{long_animations}.length") == 0
