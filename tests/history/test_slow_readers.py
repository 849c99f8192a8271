"""Pages with a slow socket or with polling catch up and do not delay others."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.api.api_client import ApiClient
from tests.history.place import Place
from tests.history.screen import Screen, introduce, read_client_id
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

_POSTS = 600
_MORE_THAN_QUEUE_MAX = 230
_BATCH = 20
_LONG = "long " * 790


@pytest.fixture
async def server_process(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server_process = ServerProcess(tmp_path)
    await server_process.start()
    yield server_process
    await server_process.stop()


@pytest.fixture
async def ann(server_process: ServerProcess) -> AsyncIterator[ApiClient]:
    async with httpx.AsyncClient(base_url=f"{server_process.url}/api/v1", timeout=DEADLINE) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        program = ApiClient(http, visitor["token"])
        await program.open("harbour")
        yield program


async def test_page_that_stops_reading_is_disconnected_and_catches_up(
    server_process: ServerProcess, ann: ApiClient
) -> None:
    async with (
        _open(server_process, ann, "stopped") as stopped,
        _open(server_process, ann, "reading") as reading,
    ):
        stopped.reads.clear()
        await _post_many(ann, reading)
        assert reading.connected == 1
        stopped.reads.set()
        await _wait_until(lambda: stopped.connected > 1)
        await _wait_until(partial(_shows, stopped, _POSTS))


async def test_polling_page_receives_messages(
    server_process: ServerProcess, ann: ApiClient
) -> None:
    async with _poll(server_process, ann) as poll:
        await ann.say("harbour", "land ahoy")
        received = ""
        while "land ahoy" not in received:
            received += await poll()


async def test_page_that_stops_polling_does_not_delay_others(
    server_process: ServerProcess, ann: ApiClient
) -> None:
    async with _open(server_process, ann, "reading") as reading, _poll(server_process, ann):
        for _ in range(_MORE_THAN_QUEUE_MAX):
            await ann.say("harbour", "land ahoy")
        await _wait_until(lambda: _newest(reading) >= _MORE_THAN_QUEUE_MAX)


@asynccontextmanager
async def _poll(
    server_process: ServerProcess, program: ApiClient
) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Open a page that uses polling; yield a function that polls once."""
    cookies = {"anonchat": program.token}
    async with httpx.AsyncClient(
        base_url=server_process.url, cookies=cookies, timeout=DEADLINE
    ) as http:
        client_id = read_client_id((await http.get("/r/harbour")).text)
        query = {**introduce(client_id, tab_id="tab"), "transport": "polling"}

        async def poll() -> str:
            return (await http.get("/_nicegui_ws/socket.io/", params=query)).text

        query["sid"] = json.loads((await poll())[1:])["sid"]
        origin = {"origin": server_process.url}
        await http.post("/_nicegui_ws/socket.io/", params=query, content="40", headers=origin)
        await program.say("harbour", "all aboard")
        received = ""
        while "all aboard" not in received:  # until the page is subscribed
            await program.say("harbour", "all aboard")
            received += await poll()
        yield poll


@asynccontextmanager
async def _open(
    server_process: ServerProcess, program: ApiClient, name: str
) -> AsyncIterator[Screen]:
    """Open a page, and wait until its list is complete."""
    room = Place("harbour", ttl=3_600)
    screen = Screen(name, url=server_process.url, token=program.token, author="", room=room)
    task = asyncio.create_task(screen.live())
    await _wait_until(lambda: _is_synced(screen))
    yield screen
    task.cancel()


async def _post_many(program: ApiClient, reader: Screen) -> None:
    """Post more than may be queued for a page, at the speed of the given reader."""
    for count in range(_BATCH, _POSTS + 1, _BATCH):
        await asyncio.gather(*(program.say("harbour", _LONG) for _ in range(_BATCH)))
        await _wait_until(partial(_shows, reader, count))


async def _wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def _is_synced(screen: Screen) -> bool:
    sight = screen.look()
    return sight is not None and sight.is_synced


def _shows(screen: Screen, seq: int) -> bool:
    return _newest(screen) == seq


def _newest(screen: Screen) -> int:
    sight = screen.look()
    return max((line.seq for line in sight.lines), default=0) if sight else 0
