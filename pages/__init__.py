"""The screens: the only package that knows NiceGUI."""

from collections import Counter
from collections.abc import Sequence

from fastapi import FastAPI
from nicegui import app, core

from anonchat import Chat

from . import errors, frame, lobby, login, privacy, room
from .asset_cache import AssetCache
from .busy_page import make_busy_page
from .connections import Connections
from .door import Door
from .forwarded import ForwardedHeaders
from .frame import ICON
from .guard import Guard
from .head_requests import HeadRequests
from .headers import Headers, write_nonces
from .hearing import Crowd
from .language import load_languages
from .live.feeds import Feeds
from .live.pacing import Pacing
from .live.packets import Packets
from .live.sockets import Sockets
from .moving import move_screens
from .news import News
from .origins import Origins
from .passes import Passes
from .request_pace import RequestPace
from .site import Site
from .turnstile import Turnstile
from .watch import Watch

__all__ = ["ICON", "Crowd", "News", "Watch", "move_screens", "register"]

_FRAME_MOST = 65_536
_TAB_SECONDS = 60  # we keep nothing there, and NiceGUI would keep that for a month


def register(chat: Chat, web: FastAPI) -> Sequence[News | Watch]:
    """Add all screens to the web application; return what has to be started with it."""
    core.sio.eio.max_http_buffer_size = _FRAME_MOST
    app.storage.max_tab_storage_age = _TAB_SECONDS
    app.config.socket_io_js_query_params["node"] = chat.settings.node_id  # a proxy goes by it
    feeds = Feeds(chat.clock, chat.metrics, chat.work)
    refused: Counter[str] = Counter()
    connections = Connections(chat.settings, refused=refused)
    sockets = Sockets(chat, connections=connections, refused=refused)
    sockets.stand_guard()
    chat.metrics.watch("anonchat_screens", "Screens that are connected.", sockets.count)
    chat.metrics.watch("anonchat_connections", "Open connections.", connections.__len__)
    chat.metrics.watch_counts(
        "anonchat_sockets_refused",
        "Sockets and what they said that were refused.",
        "why",
        lambda: sockets.refused,
    )
    site = Site(chat, feeds, Door(chat), load_languages())
    write_nonces()
    frame.add_assets()
    for screen in (login, lobby, room, privacy):
        screen.register(site)
    apologise, hold_back = errors.register(site)
    passes = Passes(chat, site.door)
    web.include_router(site.door.routes())
    web.include_router(passes.routes())
    web.state.sockets, web.state.connections = sockets, connections
    web.add_middleware(AssetCache)
    web.add_middleware(HeadRequests)
    web.add_middleware(
        Turnstile,
        chat=chat,
        door=site.door,
        passes=passes,
        sockets=sockets,
        hold_back=hold_back,
        busy=make_busy_page(site),
    )
    web.add_middleware(Pacing, budget=chat.work)
    web.add_middleware(
        Packets, engine=sockets.engine, cut=sockets.cut_socket, refused=sockets.refused
    )
    web.add_middleware(Origins, base_url=chat.settings.base_url)
    web.add_middleware(Guard, apologise=apologise)
    web.add_middleware(RequestPace, limit=chat.limits.requests)
    web.add_middleware(Headers, base_url=chat.settings.base_url)
    web.add_middleware(ForwardedHeaders, trusted=chat.settings.trusted_proxies)  # the outermost
    web.state.watch = watch = Watch(chat, site.door, sockets)
    return News(chat, feeds), watch
