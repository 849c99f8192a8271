"""While a site is flooded, browsers solve a puzzle; whoever sits before them need not notice."""

from tests.browser.world import World

SETTINGS = {"puzzle_bits": "10"}


async def test_one_comes_in_as_always(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.says("hello")
    await bob.sees("hello")


async def test_who_was_refused_for_the_nickname_can_take_another(world: World) -> None:
    ann, bob = await world.visitor("Ann"), await world.person("Bob")
    await bob.goes_to("/login")
    await bob.gives(ann.nickname)
    await bob.is_told("That nickname, or one like it, is taken.")
    await bob.gives(bob.nickname)
    await bob.is_at("/")
