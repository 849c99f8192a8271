"""Builds and runs the web server: chat, web application, NiceGUI and uvicorn configuration."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from socket import socket

import uvicorn
from fastapi import FastAPI
from nicegui import Client, app, ui
from starlette.middleware.gzip import GZipMiddleware

import pages
from anonchat import (
    Chat,
    PluginHost,
    PluginRegistry,
    Settings,
    StartupError,
    load_languages,
    load_plugins,
    read_settings,
    require_known_settings,
)
from anonchat.api import add_plugin_routes, api_routes, health_routes
from anonchat.cli.admin_server import AdminServer
from anonchat.plugins.themes import load_themes, name_site
from anonchat.runtime.listening import bind, format_url, listen
from anonchat.runtime.logging import configure_logging
from anonchat.runtime.metrics import MetricsServer
from anonchat.security.hardening import harden_process

from .transport import websocket
from .transport.socket_authorizer import SocketAuthorizer

_log = logging.getLogger("anonchat")

_GRACE_SECONDS = 5  # for requests in progress while the server stops
_DRAIN_SECONDS = 4.0
_POLL_SECONDS = 0.1
_PAGES_PER_BATCH = 50
_BACKLOG = 2_048  # connections waiting for accept
_GC_THRESHOLDS = (10_000, 10, 10)  # a page is hundreds of objects; the defaults run too often


class Server(uvicorn.Server):
    """A uvicorn server that ends streams and long polls before it waits for open requests."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop listening, move the pages to other nodes if there are any, and stop."""
        state = self.config.app.state  # type: ignore[union-attr]  # a FastAPI app
        state.chat.health.is_draining = True
        for listener in self.servers:
            listener.close()
        if state.chat.presence.count_peers():
            await _drain_pages(state.sockets)
        state.streams.stop()
        state.sockets.close_polling_sockets()
        loop = asyncio.get_running_loop()
        loop.call_later(_GRACE_SECONDS - 1, state.connections.abort_slow_readers)
        loop.call_later(_GRACE_SECONDS - 1, state.open_requests.refuse)
        await super().shutdown(sockets)


async def _drain_pages(sockets: SocketAuthorizer) -> None:
    """Ask every page to reload from another node; wait up to 4 s until all sockets are closed."""
    for number, page in enumerate(list(Client.instances), 1):
        await websocket.broadcast("move", {}, room=page)
        if number % _PAGES_PER_BATCH == 0:
            await asyncio.sleep(0)
    for _ in range(int(_DRAIN_SECONDS / _POLL_SECONDS)):
        if not sockets.count():
            break
        await asyncio.sleep(_POLL_SECONDS)


def tune_gc() -> None:
    """Exclude long-lived objects from garbage collection, and run it less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _listen(sockets: Sequence[socket], settings: Settings) -> None:
    """Listen on bound sockets, and log the URL. Raises `StartupError`.

    uvloop listens again later, but does not report sockets that it cannot listen on.
    """
    listen(sockets, settings.host, settings.port, backlog=_BACKLOG)
    for first in sockets[:1]:
        _log.info("listening at %s", format_url(settings.host, first.getsockname()[1]))


def create_app(settings: Settings) -> FastAPI:
    """Build the whole application; its lifespan starts and stops everything.

    It starts to listen on the bound sockets in `state.listen_sockets` once it can answer.
    Raises `StartupError` if a theme is wrong.
    """
    registry = PluginRegistry(load_plugins(settings.plugins))
    require_known_settings(registry.setting_names)
    themes = load_themes(
        registry.themes.values(),
        chosen=settings.theme,
        accent=settings.accent,
        make_error=registry.theme_error,
    )
    settings = name_site(settings, themes[settings.theme])
    chat = Chat(settings)
    languages = load_languages(registry.locales, settings.locale_dir)
    plugins = PluginHost(chat, registry, languages)
    admin = AdminServer(chat)
    metrics = MetricsServer(chat.metrics, host=settings.metrics_host, port=settings.metrics_port)

    @asynccontextmanager
    async def lifespan(_web: FastAPI) -> AsyncIterator[None]:
        try:
            await metrics.start()
            await chat.start()
            await admin.start()
            _listen(web.state.listen_sockets, settings)
        except StartupError as error:  # uvicorn would print a traceback
            sys.stderr.write(f"{error}\n")
            os._exit(1)
        plugins.start()
        for service in services:
            service.start()
        if not settings.base_url:
            _log.info(
                "ANONCHAT_BASE_URL is not set: only requests for localhost and IP addresses are "
                "served; to serve a host name, set it to the public address, such as "
                "https://chat.example"
            )
        tune_gc()
        try:
            yield
        finally:
            await admin.stop()
            for service in services:
                service.stop()
            await plugins.stop()
            await chat.stop()
            await metrics.stop()

    web = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    web.router.redirect_slashes = app.router.redirect_slashes = (
        False  # a redirect contains the host
    )
    web.include_router(health_routes(chat))
    add_plugin_routes(web, registry.plugins)
    web.router.routes.append(api := api_routes(chat, plugins))
    web.state.chat, web.state.streams, web.state.listen_sockets = chat, api.streams, []
    services = pages.register(chat, web, plugins=plugins, languages=languages, themes=themes)
    ui.run_with(
        web,
        title=settings.name,
        viewport="width=device-width, initial-scale=1, interactive-widget=resizes-content",
        favicon=pages.ICON,
        dark=None,
        tailwind=False,
        reconnect_timeout=20,
        show_welcome_message=False,
        gzip_middleware_factory=partial(
            GZipMiddleware, compresslevel=4, thread_minimum_size=262_144
        ),
    )
    return web


def create_server(web: FastAPI, settings: Settings) -> Server:
    """Return the HTTP server for the application."""
    pending = pages.PendingConnections(settings.pending_requests_max, web.state.connections)
    config = uvicorn.Config(
        web,
        backlog=_BACKLOG,
        log_config=None,  # set up by `configure_logging`
        log_level="error",  # clients can cause any number of its warnings
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `ForwardedHeadersMiddleware` applies them
        http=pending,  # type: ignore[arg-type]  # a protocol factory
        ws=pending.open_websocket,  # type: ignore[arg-type]  # a protocol factory
        ws_ping_interval=None,  # engine.io has its own
        ws_per_message_deflate=False,
        ws_max_size=65_536,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config)


def serve() -> None:
    """Run the server until a signal stops it, which uvicorn raises again at the end."""
    try:
        _serve(read_settings())
    except StartupError as error:
        sys.exit(str(error))


def _serve(settings: Settings) -> None:
    configure_logging(settings)
    harden_process()
    sockets = bind(settings.host, settings.port)
    web = create_app(settings)
    web.state.listen_sockets = sockets
    create_server(web, settings).run(sockets)
