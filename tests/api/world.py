"""An application with nothing but the API, and what calls it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from anonchat.api import api_routes
from tests.api.program import Program
from tests.api.wire import Wire
from tests.fakes import FakeClock, running_chat

Settle = Callable[..., Awaitable[Program]]


@asynccontextmanager
async def running_app(folder: Path, clock: FakeClock, **changes: object) -> AsyncIterator[FastAPI]:
    """Give an application with nothing but the API: NiceGUI allows one of the whole to a process.

    (`test_server.py` and `test_fuzz.py` meet the whole, each in a process of its own.)
    """
    async with running_chat(folder, clock, **changes) as chat:
        web = FastAPI()
        web.router.routes.append(api := api_routes(chat))
        web.state.chat, web.state.streams = chat, api.streams
        yield web


@asynccontextmanager
async def calling(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Give what calls the API of an application."""
    transport = Wire(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as http:
        yield http
