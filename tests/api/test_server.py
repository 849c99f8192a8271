"""The API of a real server, as a program somewhere else meets it."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.program import Program
from tests.browser.house import PATIENCE, ROOT, House

BOT = ROOT / "docs" / "examples" / "echo_bot.py"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def ann(house: House) -> AsyncIterator[Program]:
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v1", timeout=30) as http:
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        yield Program(http, visitor["token"])


async def test_the_example_bot_repeats_what_is_said_to_it_and_wants_to_be_forgotten(
    house: House, ann: Program
) -> None:
    await ann.open("night train")
    async with ann.listen("night-train") as stream:
        await stream.ready()
        bot = await asyncio.create_subprocess_exec(
            sys.executable, BOT, house.url, "night train", preexec_fn=_listen_to_interrupts
        )
        try:
            await stream.until("presence", nickname="Echo", present=True)
            await ann.say("night-train", "!echo is anybody there?", "not for you")
            events = await stream.until("message", nickname="Echo")
            assert events[-1].data["text"] == "is anybody there?"
        finally:
            bot.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(bot.wait(), PATIENCE) == 0
        assert (await stream.until("left"))[-1].data["author"] == events[-1].data["author"]
    texts = [message["text"] for message in (await ann.read("night-train"))["items"]]
    assert texts == ["!echo is anybody there?", "not for you"]


async def test_streams_do_not_hold_up_the_end_of_the_server(house: House, ann: Program) -> None:
    await ann.open("room")
    async with ann.listen("room") as one, ann.listen("room") as two:
        for stream in (one, two):
            await stream.ready()
        begun = time.monotonic()
        await house.stop()
        assert time.monotonic() - begun < 4  # uvicorn would have waited for 5 seconds
        for stream in (one, two):
            await stream.rest()


async def test_a_body_that_is_too_large_is_a_problem_too(ann: Program) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1_000

    headers = {"Content-Type": "application/json"}
    for content in (b" " * 70_000, chunks()):
        answer = await ann.call("POST", "/rooms", content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (413, "/api/v1/problems/too-large")


async def test_a_stream_resumes_on_a_server_that_was_killed(house: House, ann: Program) -> None:
    await ann.open("room")
    async with ann.listen("room", after=0) as stream:
        await stream.ready()
        await ann.say("room", "one")
        assert (await stream.until("message"))[-1].id == 1
        await ann.say("room", "two")
        await house.kill()
    await house.start()
    await ann.say("room", "three")
    async with ann.listen("room", last_event_id=1) as stream:
        events = await stream.until("ready", seq=3)
    assert [event.data["text"] for event in events if event.kind == "message"] == ["two", "three"]


def _listen_to_interrupts() -> None:
    """Let Ctrl+C end the bot, though a shell in the background has told the tests to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
