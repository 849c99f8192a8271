"""Limits of API calls: body size, rate and processor time."""

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..chat import Chat
from ..entities import Visitor
from ..errors import LimitReached, Unavailable
from ..limits.costs import Cost
from .problem_responses import problem_response

_BODY_BYTES_MAX = 65_536


class CallLimitsMiddleware:
    """Charges every call before it is handled, unknown paths included, and bounds its body.

    Calls with a valid token are charged to the visitor, all others to the client IP. A sign-in over
    the limit is delayed but not refused: its endpoint requires a proof of work.
    """

    def __init__(self, app: ASGIApp, *, chat: Chat) -> None:
        self._app = app
        self._chat = chat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        address = request.client.host if request.client else ""
        is_sign_in = request.method == "POST" and scope["path"].endswith("/visitors")
        app, visitor = self._app, None
        try:
            visitor = await self._authenticate(request, address)
            await self._charge(visitor, address)
        except LimitReached as error:
            was_delayed = await self._chat.network_throttle.delay_response(address)
            if visitor or not was_delayed or not is_sign_in:
                app = problem_response(error)
        await app(scope, _limit_body(receive), send)

    async def _charge(self, visitor: Visitor | None, address: str) -> None:
        chat, visitor_id = self._chat, visitor.id if visitor else ""
        if visitor_id or address:
            chat.limits.calls.hit(visitor_id or address)
            await chat.work_budget.spend(Cost.API_CALL, visitor_id=visitor_id, address=address)

    async def _authenticate(self, request: Request, address: str) -> Visitor | None:
        header = request.headers.get("authorization")
        scheme, token = get_authorization_scheme_param(header)
        if not token or scheme.lower() != "bearer":
            return None
        try:
            return await self._chat.identity.authenticate(token, address=address)
        except Unavailable:  # the endpoint reports it
            return None


def _limit_body(receive: Receive) -> Receive:
    """Return a function that receives a request until its body exceeds 64 KiB."""
    remaining = _BODY_BYTES_MAX

    async def receive_counted() -> Message:
        nonlocal remaining
        message = await receive()
        remaining -= len(message.get("body", b""))
        if remaining < 0:
            raise HTTPException(413)
        return message

    return receive_counted
