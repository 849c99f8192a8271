"""How many pages are handed out: each one is kept until its browser comes for it, or a minute."""

from collections.abc import Callable

from fastapi import Request
from nicegui import Client
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from anonchat import Chat, TooOften, neighbourhood

from .live.sockets import Sockets
from .site import address_of

# What is no page, and costs next to nothing; the API counts its calls itself.
_FREE = ("/_nicegui", "/assets/", "/api/", "/healthz", "/readyz", "/favicon.ico")


class Turnstile:
    """Counts the pages that each address asks for, and those that nobody came for yet.

    An address that leads nowhere counts too, so that nobody can guess without end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        chat: Chat,
        sockets: Sockets,
        hold_back: Callable[[Request, TooOften], Response],
    ) -> None:
        self._app = app
        self._chat = chat
        self._sockets = sockets
        self._hold_back = hold_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        answer = self._app
        if scope["type"] == "http" and not scope["path"].startswith(_FREE):
            request = Request(scope)
            try:
                self._count(request)
            except TooOften as error:
                answer = self._hold_back(request, error)
        await answer(scope, receive, send)

    def _count(self, request: Request) -> None:
        self._chat.limits.pages.spend(neighbourhood(address_of(request)))
        self._chat.limits.check_waiting(len(Client.instances) - self._sockets.count())
