"""Programs and people meet in the same rooms."""

import httpx

from tests.api.program import Program
from tests.browser.world import World


async def test_a_program_and_a_person_talk_in_one_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    api = f"{world.house.url}/api/v1"
    async with httpx.AsyncClient(base_url=api, timeout=30) as http:
        name = world.name("Robot")
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": name})
        robot = Program(http, visitor["token"])
        slug = (await robot.open(room))["slug"]
        async with robot.listen(slug) as stream:
            await stream.ready()
            await ann.says("hello, robot")
            heard = (await stream.until("message"))[-1].data
            assert (heard["nickname"], heard["text"]) == (ann.nickname, "hello, robot")
            (answer,) = await robot.say(slug, "<b>hello, human</b>")
            await ann.has_heard("hello, robot", "<b>hello, human</b>")
            await robot.ask("DELETE", f"/rooms/{slug}/messages/{answer['id']}")
            await ann.sees_no("hello, human")
        await robot.ask("DELETE", "/visitors/me")
        await ann.has_heard("hello, robot")
