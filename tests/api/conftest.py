"""The API without a socket, and programs that call it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import Chat
from tests.api.program import Program
from tests.api.world import Settle, calling, running_app
from tests.fakes import FakeClock


@pytest.fixture
async def web(tmp_path: Path, clock: FakeClock) -> AsyncIterator[FastAPI]:
    async with running_app(tmp_path / "data", clock) as web:
        yield web


@pytest.fixture
def chat(web: FastAPI) -> Chat:
    """Return the chat behind the API."""
    chat: Chat = web.state.chat
    return chat


@pytest.fixture
async def http(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(web) as http:
        yield http


@pytest.fixture
def stranger(http: httpx.AsyncClient) -> Program:
    """Return a program that has not come in."""
    return Program(http)


@pytest.fixture
def come_in(stranger: Program) -> Settle:
    """Return a function that lets a program come in."""

    async def come_in(nickname: str, **more: str) -> Program:
        visitor = await stranger.ask("POST", "/visitors", json={"nickname": nickname, **more})
        return Program(stranger.http, visitor["token"])

    return come_in


@pytest.fixture
async def ann(come_in: Settle) -> Program:
    return await come_in("Ann")


@pytest.fixture
async def bob(come_in: Settle) -> Program:
    return await come_in("Bob")


@pytest.fixture
async def slug(ann: Program, bob: Program) -> str:
    """Return the address of a room of Ann's that Bob is in as well."""
    room = await ann.open("night train")
    await bob.ask("PUT", f"/rooms/{room['slug']}/membership")
    return str(room["slug"])
