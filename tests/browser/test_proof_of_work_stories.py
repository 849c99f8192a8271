"""Sign-in with proof of work, which the browser solves in the background."""

from tests.browser.world import World

SETTINGS = {"pow_bits": "10"}


async def test_sign_in_works_with_proof_of_work(world: World, room: str) -> None:
    ann, bob = [await world.person(name) for name in ("Ann", "Bob")]
    for person in (ann, bob):
        await person.sign_in()
        await person.open_room(room)
    await ann.post_messages("hello")
    await bob.expect_message("hello")


async def test_sign_in_can_be_retried_after_a_refused_nickname(world: World) -> None:
    ann, bob = [await world.person(name) for name in ("Ann", "Bob")]
    await ann.sign_in()
    await bob.open_path("/login")
    await bob.submit_login(ann.nickname)
    await bob.expect_alert("That nickname, or one like it, is taken.")
    await bob.submit_login(bob.nickname)
    await bob.expect_path("/")
