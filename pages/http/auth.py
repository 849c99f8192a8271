"""Session authentication: maps the session cookie to a visitor through `chat.identity`."""

import string
from base64 import urlsafe_b64encode
from datetime import timedelta
from functools import cached_property
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import HTTPConnection

from anonchat import Chat, Visitor

from .path_prefix import path_prefix

_COOKIE_AGE = timedelta(days=400)  # the maximum of browsers; the server expires tokens itself
_TICKET_SECONDS = 30
_COOKIE = "anonchat"


class SessionAuth:
    """Authenticates visitors by their session cookie, and sets it after sign-in.

    A cookie can only be set over HTTP, but the sign-in form is sent over the page's socket. So the
    page receives a ticket, which is a token encrypted and valid for 30 seconds, and posts it back.
    The cookie holds a new token that replaces it, so a ticket works once, on any node.
    `CrossOriginProtectionMiddleware` ensures that the ticket is posted by a page of this site.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def require_visitor(self, request: Request) -> Visitor:
        """Return the visitor. Raises `HTTPException` 303 to the login page if there is none."""
        visitor = await self.authenticate(request)
        if visitor is None:
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            query = f"?next={quote(target)}" if target != "/" else ""
            raise HTTPException(303, headers={"Location": f"/login{query}"})
        request.scope["visitor"] = visitor.id  # owner of the page while it is open
        return visitor

    async def require_anonymous(self, request: Request, next: str = "/") -> str:
        """Return the path to open after sign-in. Raises `HTTPException` 303 to it if signed in."""
        target = local_path(next)
        if await self.authenticate(request):
            raise HTTPException(303, headers={"Location": quote(target, safe=string.punctuation)})
        return target

    async def authenticate(self, connection: HTTPConnection) -> Visitor | None:
        """Return the visitor of the session cookie, or `None`."""
        token = self._token(connection)
        address = connection.client.host if connection.client else ""
        return await self._chat.identity.authenticate(token, address=address) if token else None

    def create_ticket(self, token: str) -> str:
        """Return a ticket for the token; it works once, within 30 seconds."""
        return self._fernet.encrypt_at_time(token.encode(), self._now()).decode()

    def routes(self) -> APIRouter:
        """Return the routes that start and end a session."""
        router = APIRouter(include_in_schema=False)

        @router.post("/session", status_code=204)
        async def start_session(request: Request) -> Response:
            ticket = await request.body()
            try:
                token = self._fernet.decrypt_at_time(ticket, _TICKET_SECONDS, self._now()).decode()
            except InvalidToken as error:
                raise HTTPException(403) from error
            new_token = await self._chat.identity.replace_token(token)
            if new_token is None:  # ticket already used, or visitor deleted
                raise HTTPException(403)
            response = Response(status_code=204)
            response.set_cookie(
                self.cookie_name(request, _COOKIE),
                new_token,
                max_age=int(_COOKIE_AGE.total_seconds()),
                path=cookie_path(request),
                secure=self.is_secure(request),
                httponly=True,
                samesite="lax",
            )
            return response

        @router.delete("/session", status_code=204)
        async def end_session(request: Request) -> Response:
            if token := self._token(request):
                await self._chat.identity.sign_out(token)
            response = Response(status_code=204)
            response.delete_cookie(
                self.cookie_name(request, _COOKIE),
                path=cookie_path(request),
                secure=self.is_secure(request),
                httponly=True,
            )
            return response

        return router

    @cached_property
    def _fernet(self) -> Fernet:
        """Cipher of tickets; the same on all nodes, since a ticket may be posted to any."""
        return Fernet(urlsafe_b64encode(self._chat.hasher.hash("ticket")))

    def _now(self) -> int:
        return int(self._chat.clock().timestamp())

    def has_token(self, connection: HTTPConnection) -> bool:
        """Return whether a request has a session cookie, valid or not."""
        return bool(self._token(connection))

    def _token(self, connection: HTTPConnection) -> str:
        return connection.cookies.get(self.cookie_name(connection, _COOKIE), "")

    def cookie_name(self, connection: HTTPConnection, name: str) -> str:
        """Return a name that only this host can set over HTTPS, if browsers allow it.

        They allow the prefix `__Host-` for cookies of the path `/` only.
        """
        if not self.is_secure(connection):
            return name
        return f"__Secure-{name}" if path_prefix(connection.scope) else f"__Host-{name}"

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Return whether browsers use HTTPS to reach this site."""
        address = self._chat.settings.base_url or str(connection.url)
        return address.startswith(("https://", "wss://"))


def cookie_path(connection: HTTPConnection) -> str:
    """Return the path of cookies: the one below which the site is served."""
    return path_prefix(connection.scope) or "/"


def local_path(target: str) -> str:
    """Return `target` if it is a path of this site, else the lobby.

    >>> local_path("/r/night-train"), local_path("https://evil.example"), local_path("//evil")
    ('/r/night-train', '/', '/')
    """
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if local and target.isprintable() else "/"
