"""The server, extended by a page and a route that wait for ever."""

import asyncio
from pathlib import Path

from fastapi import FastAPI

from anonchat import Settings
from main import main
from pages import server
from pages.layout import page

_create_app = server.create_app


def create_waiting_app(settings: Settings) -> FastAPI:
    """Build the application; a request that waits creates the file `waiting`."""
    web = _create_app(settings)

    async def wait() -> None:
        await asyncio.to_thread(Path("waiting").touch)
        await asyncio.Event().wait()

    @page("/waiting-page")
    async def waiting_page() -> None:
        await wait()

    @web.get("/waiting-route")
    async def waiting_route() -> None:
        await wait()

    web.router.routes.insert(0, web.router.routes.pop())  # before the routes of NiceGUI
    return web


if __name__ == "__main__":
    server.create_app = create_waiting_app
    main()
