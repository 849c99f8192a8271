"""Session authentication: maps the session cookie to a visitor through `chat.identity`."""

import string
from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import HTTPConnection

from anonchat import Chat, Visitor

from .path_prefix import path_prefix

_COOKIE_AGE = timedelta(days=400)  # the maximum of browsers; the server expires tokens itself
_COOKIE = "anonchat"


class SessionAuth:
    """Authenticates visitors by their session cookie, sets it after sign-in and clears it."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def require_visitor(self, request: Request) -> Visitor:
        """Return the visitor. Raises `HTTPException` 303 to the login page if there is none."""
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return await self.require_visitor_for(request, target)

    async def require_visitor_for(self, request: Request, target: str) -> Visitor:
        """Return the visitor as above; the login page leads to the path `target`."""
        visitor = await self.authenticate(request)
        if visitor is None:
            raise HTTPException(303, headers={"Location": f"/login{target_query(target)}"})
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

    def start_session(self, request: Request, response: Response, token: str) -> None:
        """Set the session cookie in the response."""
        response.set_cookie(
            self.cookie_name(request, _COOKIE),
            token,
            max_age=int(_COOKIE_AGE.total_seconds()),
            path=cookie_path(request),
            secure=self.is_secure(request),
            httponly=True,
            samesite="lax",
        )

    def routes(self) -> APIRouter:
        """Return the routes that check and end a session; `sign_in.py` has that which starts it."""
        router = APIRouter(include_in_schema=False)

        @router.get("/session", status_code=204)
        async def check_session(request: Request) -> None:
            if await self.authenticate(request) is None:
                raise HTTPException(401)

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


def target_query(target: str) -> str:
    """Return the query that names the path to open after sign-in; "" for the lobby.

    >>> target_query("/r/a&b"), target_query("/")
    ('?next=/r/a%26b', '')
    """
    return f"?next={quote(target)}" if target != "/" else ""


def local_path(target: str) -> str:
    """Return `target` if it is a path of this site, else the lobby.

    >>> local_path("/r/night-train"), local_path("https://evil.example"), local_path("//evil")
    ('/r/night-train', '/', '/')
    """
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if local and target.isprintable() else "/"
