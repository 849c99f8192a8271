"""The API of a server process, called over the network."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.api_client import ApiClient
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

pytestmark = pytest.mark.slow

BOT = ROOT / "docs" / "examples" / "echo_bot.py"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def ann(server: ServerProcess) -> AsyncIterator[ApiClient]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", timeout=DEADLINE) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        yield ApiClient(http, visitor["token"])


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
async def test_example_bot_echoes_messages_and_deletes_itself(
    server: ServerProcess, ann: ApiClient, stop_signal: signal.Signals
) -> None:
    await ann.open("night train")
    async with ann.listen("night-train") as stream:
        await stream.ready()
        bot = await asyncio.create_subprocess_exec(
            sys.executable, BOT, server.url, "night train", preexec_fn=_enable_interrupts
        )
        try:
            await stream.until("presence", nickname="Echo", present=True)
            await ann.say("night-train", "!echo is anybody there?", "not for you")
            events = await stream.until("message", nickname="Echo")
            assert events[-1].data["text"] == "is anybody there?"
        finally:
            bot.send_signal(stop_signal)
            assert await asyncio.wait_for(bot.wait(), DEADLINE) == 0
        assert (await stream.until("left"))[-1].data["author"] == events[-1].data["author"]
    texts = [message["text"] for message in (await ann.read("night-train"))["items"]]
    assert texts == ["!echo is anybody there?", "not for you"]


async def test_example_bot_resumes_after_a_restart_of_the_server(
    server: ServerProcess, ann: ApiClient
) -> None:
    await ann.open("night train")
    bot = await asyncio.create_subprocess_exec(
        sys.executable, BOT, server.url, "night train", preexec_fn=_enable_interrupts
    )
    try:
        async with ann.listen("night-train", after=0) as stream:
            await stream.until("presence", nickname="Echo", present=True)
        await server.stop()
        await server.start()
        await ann.say("night-train", "!echo before you are back")
        async with ann.listen("night-train", after=0) as stream:
            events = await stream.until("message", nickname="Echo")
        assert events[-1].data["text"] == "before you are back"
        assert bot.returncode is None
    finally:
        bot.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(bot.wait(), DEADLINE) == 0


@pytest.mark.parametrize(
    "words", [[], ["http://localhost"], ["localhost:8080", "room"], ["http://localhost", "a", "b"]]
)
async def test_example_bot_says_its_usage(words: list[str]) -> None:
    bot = await asyncio.create_subprocess_exec(
        sys.executable, BOT, *words, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE):
        _, stderr = await bot.communicate()
    assert bot.returncode == 1
    assert stderr.startswith(b"usage: python echo_bot.py URL ROOM")


async def test_open_streams_do_not_delay_the_shutdown(
    server: ServerProcess, ann: ApiClient
) -> None:
    await ann.open("room")
    async with ann.listen("room") as one, ann.listen("room") as two:
        for stream in (one, two):
            await stream.ready()
        started = time.monotonic()
        await server.stop()
        assert time.monotonic() - started < 4  # uvicorn waits 5 s for open requests
        for stream in (one, two):
            await stream.rest()


async def test_oversized_body_is_a_problem(ann: ApiClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1_000

    headers = {"Content-Type": "application/json"}
    for content in (b" " * 70_000, chunks()):
        response = await ann.call("POST", "/rooms", content=content, headers=headers)
        assert (response.status_code, response.json()["type"]) == (
            413,
            "/api/v1/problems/too-large",
        )


async def test_stream_resumes_after_the_server_was_killed(
    server: ServerProcess, ann: ApiClient
) -> None:
    await ann.open("room")
    async with ann.listen("room", after=0) as stream:
        await stream.ready()
        await ann.say("room", "one")
        assert (await stream.until("message"))[-1].id == 1
        await ann.say("room", "two")
        server.kill()
    await server.start()
    await ann.say("room", "three")
    async with ann.listen("room", last_event_id=1) as stream:
        events = await stream.until("ready", seq=3)
    assert [event.data["text"] for event in events if event.kind == "message"] == ["two", "three"]


def _enable_interrupts() -> None:
    """Restore the handler of SIGINT, which background shells set to be ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
