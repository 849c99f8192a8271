"""An application with only the API, and a client for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from anonchat import PluginHost, PluginRegistry, load_languages, load_plugins
from anonchat.api import api_routes
from tests.api.api_client import ApiClient
from tests.api.streaming_transport import StreamingTransport
from tests.fakes import FakeClock, running_chat

SignIn = Callable[..., Awaitable[ApiClient]]


@asynccontextmanager
async def running_app(
    folder: Path, clock: FakeClock, *, plugins: Path | None = None, **changes: object
) -> AsyncIterator[FastAPI]:
    """Yield an application with only the API and these plugins.

    NiceGUI allows only one whole application in a process:
    `test_server.py` and `test_fuzz.py` test the whole application in separate processes.
    """
    registry = PluginRegistry(load_plugins(str(plugins)) if plugins else [])
    async with running_chat(folder, clock, **changes) as chat:
        web = FastAPI()
        host = PluginHost(chat, registry, load_languages(registry.locales))
        web.router.routes.append(api := api_routes(chat, host))
        web.state.chat, web.state.streams = chat, api.streams
        yield web


@asynccontextmanager
async def api_client(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client for the API of an application."""
    transport = StreamingTransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as http:
        yield http
