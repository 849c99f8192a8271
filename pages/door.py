"""The visitor's cookie ↔ `chat.identity`: who is looking at a page."""

import string
from base64 import urlsafe_b64encode
from datetime import timedelta
from functools import cached_property
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import HTTPConnection

from anonchat import Chat, Visitor

_COOKIE_AGE = timedelta(days=400)  # the most that browsers allow; the server decides who is known
_TICKET_SECONDS = 30


class Door:
    """Lets visitors in by their cookie, and sets it when they have come in.

    A cookie can only be set over HTTP, while a form is sent over the page's socket: the page is
    given a ticket, a token sealed for half a minute, and posts it back. The cookie holds another
    token that replaces it, so a ticket serves once, on whichever node. `Origins` sees to it that
    it is our page which posts.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def visitor(self, request: Request) -> Visitor:
        """Return who is looking; send the unknown to the login page, and back afterwards."""
        visitor = await self.recognise(request)
        if visitor is None:
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            query = f"?next={quote(target)}" if target != "/" else ""
            raise HTTPException(303, headers={"Location": f"/login{query}"})
        request.scope["visitor"] = visitor.id  # the page belongs to them, for as long as it is open
        return visitor

    async def stranger(self, request: Request, next: str = "/") -> str:
        """Return where one goes after coming in; who is known already goes there at once."""
        target = local_path(next)
        if await self.recognise(request):
            raise HTTPException(303, headers={"Location": quote(target, safe=string.punctuation)})
        return target

    async def recognise(self, connection: HTTPConnection) -> Visitor | None:
        """Return who is looking, if they are known."""
        token = self._token(connection)
        address = connection.client.host if connection.client else ""
        return await self._chat.identity.recognise(token, address=address) if token else None

    def write_ticket(self, token: str) -> str:
        """Return a ticket for the token, good once and for half a minute."""
        return self._fernet.encrypt_at_time(token.encode(), self._now()).decode()

    def routes(self) -> APIRouter:
        """Return the two routes that begin and end a session."""
        router = APIRouter(include_in_schema=False)

        @router.post("/session", status_code=204)
        async def begin(request: Request) -> Response:
            ticket = await request.body()
            try:
                given = self._fernet.decrypt_at_time(ticket, _TICKET_SECONDS, self._now()).decode()
            except InvalidToken as error:
                raise HTTPException(403) from error
            token = await self._chat.identity.replace_token(given)
            if token is None:  # the ticket was used before, or its visitor was forgotten
                raise HTTPException(403)
            response = Response(status_code=204)
            response.set_cookie(
                self._cookie_name(request),
                token,
                max_age=int(_COOKIE_AGE.total_seconds()),
                secure=self.is_secure(request),
                httponly=True,
                samesite="lax",
            )
            return response

        @router.delete("/session", status_code=204)
        async def end(request: Request) -> Response:
            if token := self._token(request):
                await self._chat.identity.sign_out(token)
            response = Response(status_code=204)
            response.delete_cookie(
                self._cookie_name(request), secure=self.is_secure(request), httponly=True
            )
            return response

        return router

    @cached_property
    def _fernet(self) -> Fernet:
        """What seals tickets, the same on all nodes: any of them may be handed one back."""
        return Fernet(urlsafe_b64encode(self._chat.hasher.hash("ticket")))

    def _now(self) -> int:
        return int(self._chat.clock().timestamp())

    def has_token(self, connection: HTTPConnection) -> bool:
        """Tell whether a token comes with a request, of whatever kind."""
        return bool(self._token(connection))

    def _token(self, connection: HTTPConnection) -> str:
        return connection.cookies.get(self._cookie_name(connection), "")

    def _cookie_name(self, connection: HTTPConnection) -> str:
        return "__Host-anonchat" if self.is_secure(connection) else "anonchat"

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Return whether browsers come here over https."""
        address = self._chat.settings.base_url or str(connection.url)
        return address.startswith(("https://", "wss://"))


def local_path(target: str) -> str:
    """Return `target` if it is a path of this site, else the lobby.

    >>> local_path("/r/night-train"), local_path("https://evil.example"), local_path("//evil")
    ('/r/night-train', '/', '/')
    """
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if local and target.isprintable() else "/"
