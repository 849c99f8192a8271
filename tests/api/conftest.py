"""Fixtures: the API without a socket, and clients of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import Chat
from tests.api.api_client import ApiClient
from tests.api.apps import SignIn, api_client, running_app
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
    async with api_client(web) as http:
        yield http


@pytest.fixture
def anonymous(http: httpx.AsyncClient) -> ApiClient:
    """Return a client without a token."""
    return ApiClient(http)


@pytest.fixture
def sign_in(anonymous: ApiClient) -> SignIn:
    """Return a function that signs a visitor in."""

    async def sign_in(nickname: str, **more: str) -> ApiClient:
        visitor = await anonymous.ask("POST", "/visitors", json={"nickname": nickname, **more})
        return ApiClient(anonymous.http, visitor["token"])

    return sign_in


@pytest.fixture
async def ann(sign_in: SignIn) -> ApiClient:
    return await sign_in("Ann")


@pytest.fixture
async def bob(sign_in: SignIn) -> ApiClient:
    return await sign_in("Bob")


@pytest.fixture
async def slug(ann: ApiClient, bob: ApiClient) -> str:
    """Return the slug of Ann's room, of which Bob is a member too."""
    room = await ann.open("night train")
    await bob.ask("PUT", f"/rooms/{room['slug']}/membership")
    return str(room["slug"])
