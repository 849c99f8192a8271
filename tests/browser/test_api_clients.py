"""API clients and browsers share the same rooms."""

import httpx

from tests.api.api_client import ApiClient
from tests.browser.world import World
from tests.timeouts import DEADLINE, IDLE_MAX


async def test_api_client_and_browser_exchange_messages(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    api = f"{world.server_process.url}/api/v1"
    async with httpx.AsyncClient(base_url=api, timeout=DEADLINE, limits=IDLE_MAX) as http:
        name = world.name("Robot")
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": name})
        robot = ApiClient(http, visitor["token"])
        slug = (await robot.open(room))["slug"]
        async with robot.listen(slug) as stream:
            await stream.ready()
            await ann.post_messages("hello, robot")
            message = (await stream.until("message"))[-1].data
            assert (message["nickname"], message["text"]) == (ann.nickname, "hello, robot")
            (reply,) = await robot.say(slug, "<b>hello, human</b>")
            await ann.expect_messages("hello, robot", "<b>hello, human</b>")
            await robot.ask("DELETE", f"/rooms/{slug}/messages/{reply['id']}")
            await ann.expect_no_message("hello, human")
        await robot.ask("DELETE", "/visitors/me")
        await ann.expect_messages("hello, robot")
