"""Settings → chat → web application → server: what is said to NiceGUI and uvicorn."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from socket import socket

import uvicorn
from fastapi import FastAPI
from nicegui import app, ui
from starlette.middleware.gzip import GZipMiddleware

import pages
from anonchat import Chat, Settings, StartError, read_settings
from anonchat.admin import AdminDoor
from anonchat.api import api_routes, health_routes
from anonchat.listening import bind, listen, write_url
from anonchat.logs import set_up_logs
from anonchat.metrics import MetricsDoor
from anonchat.precautions import take_precautions

_log = logging.getLogger("anonchat")

_GRACE_SECONDS = 5  # for what is being answered while the server stops
_BACKLOG = 2_048  # connections that wait to be accepted
_GARBAGE = (10_000, 10, 10)  # a page is hundreds of objects: the defaults look after every other


class Server(uvicorn.Server):
    """A server that ends streams and polls before it waits until everything is answered."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Take nobody in any more, lead the screens to another node if there is one, and stop."""
        state = self.config.app.state  # type: ignore[union-attr]  # it is our own app
        state.chat.is_draining = True
        for door in self.servers:
            door.close()
        if state.chat.presence.count_nodes():
            await pages.move_screens(state.sockets)
        state.streams.stop()
        state.sockets.stop()
        loop = asyncio.get_running_loop()
        loop.call_later(_GRACE_SECONDS - 1, state.connections.cut_readers)
        await super().shutdown(sockets)


def settle() -> None:
    """Spare the garbage collector what lives as long as the process, and let it come rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def _listen(doors: Sequence[socket], settings: Settings) -> None:
    """Listen on bound sockets, and say where. Raises `StartError`.

    uvloop does it again later, but is silent about sockets that it cannot listen on.
    """
    listen(doors, settings.host, settings.port, backlog=_BACKLOG)
    for door in doors[:1]:
        _log.info("open at %s", write_url(settings.host, door.getsockname()[1]))


def create_app(settings: Settings) -> FastAPI:
    """Build the whole application; it runs from the beginning of its lifespan to the end.

    It begins to listen on the bound sockets in its `state.doors` once it is able to answer.
    """
    chat = Chat(settings)
    admin = AdminDoor(chat)
    metrics = MetricsDoor(chat.metrics, host=settings.metrics_host, port=settings.metrics_port)

    @asynccontextmanager
    async def lifespan(_web: FastAPI) -> AsyncIterator[None]:
        try:
            await metrics.start()
            await chat.start()
            await admin.start()
            _listen(web.state.doors, settings)
        except StartError as error:  # the server would hide this one line in a page of traceback
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        for part in living:
            part.start()
        if not settings.base_url:
            _log.info(
                "ANONCHAT_BASE_URL is not set: answering to localhost and IP addresses only; to "
                "serve a name, set it to the address that visitors use, such as "
                "https://chat.example"
            )
        settle()
        try:
            yield
        finally:
            await admin.stop()
            for part in living:
                part.stop()
            await chat.stop()
            await metrics.stop()

    web = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    web.router.redirect_slashes = app.router.redirect_slashes = False  # they would name the host
    web.include_router(health_routes(chat))
    web.router.routes.append(api := api_routes(chat))
    web.state.chat, web.state.streams, web.state.doors = chat, api.streams, []
    living = pages.register(chat, web)
    ui.run_with(
        web,
        title="anonchat",
        viewport="width=device-width, initial-scale=1, interactive-widget=resizes-content",
        favicon=pages.ICON,
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=20,
        show_welcome_message=False,
        gzip_middleware_factory=partial(
            GZipMiddleware, compresslevel=4, thread_minimum_size=262_144
        ),
    )
    return web


def create_server(web: FastAPI, settings: Settings) -> Server:
    """Make what listens on the port and speaks HTTP for the application."""
    crowd = pages.Crowd(settings.unanswered_max, web.state.connections)
    config = uvicorn.Config(
        web,
        backlog=_BACKLOG,
        log_config=None,  # ours
        log_level="error",  # its warnings are about what strangers send, as often as they like
        access_log=False,
        server_header=False,
        proxy_headers=False,  # ours, which tell when something is amiss
        http=crowd,  # type: ignore[arg-type]  # it makes protocols
        ws=crowd.open_line,  # type: ignore[arg-type]  # so does this
        ws_ping_interval=None,  # engine.io has its own
        ws_per_message_deflate=False,
        ws_max_size=65_536,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config)


def serve() -> None:
    """Run the server until it is told to stop, by SIGTERM or Ctrl-C, which ends with status 0."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises it anew at its end
    try:
        with suppress(KeyboardInterrupt):
            _serve(read_settings())
    except StartError as error:
        sys.exit(str(error))


def _serve(settings: Settings) -> None:
    set_up_logs(settings)
    take_precautions()
    doors = bind(settings.host, settings.port)
    web = create_app(settings)
    web.state.doors = doors
    create_server(web, settings).run(doors)
