"""Fixtures: the whole application, in process and on a port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from anonchat import Chat
from anonchat.api.application import ApiMount
from pages.layout import page
from pages.server import create_app, create_server
from pages.transport.socket_authorizer import SocketAuthorizer
from tests.fakes import make_settings
from tests.plugins.sample import SAMPLE


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """Start the application; NiceGUI allows only one per process."""
    web = create_app(make_settings(tmp_path_factory.mktemp("data"), plugins=str(SAMPLE)))

    @page("/broken")
    def broken() -> None:
        raise RuntimeError("the password is xyzzy-plugh")

    @page("/broken-late")
    async def broken_late() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("the password is xyzzy-plugh")

    @page("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    @web.get("/very-broken")
    async def very_broken() -> None:
        raise RuntimeError("the password is xyzzy-plugh")

    web.router.routes.insert(0, web.router.routes.pop())  # before the routes of NiceGUI

    async with web.router.lifespan_context(web):
        yield web


@pytest_asyncio.fixture(loop_scope="session")
async def browser(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.localhost") as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def url(web: FastAPI) -> AsyncIterator[str]:
    """Serve the application on a local port, with the production server settings."""
    server = create_server(web, make_settings(Path("unused")))
    server.config.lifespan = "off"  # the `web` fixture runs it
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
def chat(web: FastAPI) -> Chat:
    """Return the chat behind the application."""
    (mount,) = (route for route in web.routes if isinstance(route, ApiMount))
    chat: Chat = mount.app.state.chat
    return chat


@pytest.fixture
def sockets(web: FastAPI) -> SocketAuthorizer:
    """Return the authorizer of the sockets of the pages."""
    sockets: SocketAuthorizer = web.state.sockets
    return sockets
