"""The screens: the only package that knows NiceGUI."""

from fastapi import FastAPI
from nicegui import core

from anonchat import Chat

from . import errors, frame, lobby, login, privacy, room
from .door import Door
from .frame import ICON
from .guard import Guard
from .language import load_languages
from .live.feeds import Feeds
from .live.lines import Line
from .news import News
from .site import Site

__all__ = ["ICON", "Line", "register"]

_FRAME_MOST = 65_536


def register(chat: Chat, web: FastAPI) -> News:
    """Add all screens to the web application; the news has to be started with it."""
    core.sio.eio.max_http_buffer_size = _FRAME_MOST
    core.sio.on("log", _ignore)  # a browser has nothing to write in our log
    web.add_middleware(Guard)
    feeds = Feeds(chat.clock)
    site = Site(chat, feeds, Door(chat), load_languages())
    web.include_router(site.door.routes())
    frame.add_assets()
    for screen in (login, lobby, room, privacy, errors):
        screen.register(site)
    return News(chat, feeds)


def _ignore(_sid: str, _message: object) -> None:
    pass
