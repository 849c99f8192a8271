"""Reading, posting and deleting messages over HTTP."""
import asyncio
from tests.api.program import Program

async def test_x(ann: Program, bob: Program, slug: str) -> None:
    async with bob.listen(slug) as stream:
        assert await stream.ready() == 0
        await ann.say(slug, "hi")
        print(await stream.until("message"))

async def test_y(ann: Program, bob: Program, slug: str) -> None:
    async with bob.listen(slug) as stream:
        assert await stream.ready() == 0
