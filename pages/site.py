"""What every page is handed: the chat, its live lists, its door and its languages."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import HTTPConnection

from anonchat import Chat, Cost

from .door import Door
from .language import Language, choose_language
from .live.feeds import Feeds
from .news import messages_of


def address_of(connection: HTTPConnection) -> str:
    """Return where a request comes from, to be counted and kept nowhere."""
    return connection.client.host if connection.client else ""


@dataclass(frozen=True)
class Site:
    """The parts that pages are built from."""

    chat: Chat
    feeds: Feeds
    door: Door
    languages: Mapping[str, Language]

    def cost_of_telling(self, room_id: str) -> float:
        """Return what it costs, in milliseconds, to tell all screens of a room of a change."""
        return Cost.SCREEN * self.feeds.count(messages_of(room_id))

    def language(self, request: Request) -> Language:
        """Return the language to show this page in."""
        return choose_language(request, self.languages, default=self.chat.settings.language)
