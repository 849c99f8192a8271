"""Screens whose line is slow, or of another kind: they fall behind, but they come to the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.api.program import Program
from tests.browser.house import PATIENCE, House
from tests.history.place import Place
from tests.history.screen import Screen, introduce, read_client_id

_POSTS = 600
_MORE_THAN_A_QUEUE = 230
_AT_ONCE = 20
_LONG = "long " * 790


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def ann(house: House) -> AsyncIterator[Program]:
    async with httpx.AsyncClient(base_url=f"{house.url}/api/v1", timeout=PATIENCE) as http:
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        program = Program(http, visitor["token"])
        await program.open("harbour")
        yield program


async def test_a_reader_that_stops_reading_is_cut_off_and_catches_up(
    house: House, ann: Program
) -> None:
    async with _open(house, ann, "sleeper") as sleeper, _open(house, ann, "waker") as waker:
        sleeper.reads.clear()
        await _say_much(ann, waker)
        assert waker.connected == 1
        sleeper.reads.set()
        await _until(lambda: sleeper.connected == 2)
        await _until(partial(_shows, sleeper, _POSTS))


async def test_a_screen_that_polls_hears_what_is_said(house: House, ann: Program) -> None:
    async with _poll(house, ann) as poll:
        await ann.say("harbour", "land ahoy")
        heard = ""
        while "land ahoy" not in heard:
            heard += await poll()


async def test_a_screen_that_ceases_to_poll_holds_nobody_up(house: House, ann: Program) -> None:
    async with _open(house, ann, "waker") as waker, _poll(house, ann):
        for _ in range(_MORE_THAN_A_QUEUE):
            await ann.say("harbour", "land ahoy")
        await _until(lambda: _newest(waker) >= _MORE_THAN_A_QUEUE)


@asynccontextmanager
async def _poll(house: House, program: Program) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Open a tab that has no web socket; give what asks for what is there for it."""
    cookies = {"anonchat": program.token}
    async with httpx.AsyncClient(base_url=house.url, cookies=cookies, timeout=PATIENCE) as http:
        client_id = read_client_id((await http.get("/r/harbour")).text)
        query = {**introduce(client_id, tab_id="tab"), "transport": "polling"}

        async def poll() -> str:
            return (await http.get("/_nicegui_ws/socket.io/", params=query)).text

        query["sid"] = json.loads((await poll())[1:])["sid"]
        origin = {"origin": house.url}
        await http.post("/_nicegui_ws/socket.io/", params=query, content="40", headers=origin)
        await program.say("harbour", "all aboard")
        heard = ""
        while "all aboard" not in heard:  # then it has joined its topics
            await program.say("harbour", "all aboard")
            heard += await poll()
        yield poll


@asynccontextmanager
async def _open(house: House, program: Program, name: str) -> AsyncIterator[Screen]:
    """Open a tab, and wait until it shows what there is."""
    place = Place("harbour", ttl=3_600)
    screen = Screen(name, url=house.url, token=program.token, author="", place=place)
    life = asyncio.create_task(screen.live())
    await _until(lambda: _is_sure(screen))
    yield screen
    life.cancel()


async def _say_much(program: Program, reader: Screen) -> None:
    """Post much more than may wait for one who does not read; the reader is given time to."""
    for said in range(_AT_ONCE, _POSTS + 1, _AT_ONCE):
        await asyncio.gather(*(program.say("harbour", _LONG) for _ in range(_AT_ONCE)))
        await _until(partial(_shows, reader, said))


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def _is_sure(screen: Screen) -> bool:
    sight = screen.look()
    return sight is not None and sight.sure


def _shows(screen: Screen, seq: int) -> bool:
    return _newest(screen) == seq


def _newest(screen: Screen) -> int:
    sight = screen.look()
    return max((line.seq for line in sight.lines), default=0) if sight else 0
