"""The screens: the only package that knows NiceGUI."""

from fastapi import FastAPI

from anonchat import Chat

from . import errors, frame, lobby, login, privacy, room
from .frame import ICON
from .language import load_languages
from .live.feeds import Feeds
from .news import News
from .site import Site
from .visitor import Door

__all__ = ["ICON", "register"]


def register(chat: Chat, web: FastAPI) -> News:
    """Add all screens to the web application; the news has to be started with it."""
    feeds = Feeds(chat.clock)
    site = Site(chat, feeds, Door(chat), load_languages())
    web.include_router(site.door.routes())
    frame.add_assets()
    for screen in (login, lobby, room, privacy, errors):
        screen.register(site)
    return News(chat, feeds)
