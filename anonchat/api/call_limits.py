"""Rate limits and processor time budgets of API calls."""

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import ASGIApp, Receive, Scope, Send

from ..chat import Chat
from ..entities import Visitor
from ..errors import LimitReached, Unavailable
from ..limits.costs import Cost
from .problems import problem_response


class CallLimitsMiddleware:
    """Charges every call before it is handled, unknown paths included.

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
        app, visitor = self._app, None
        try:
            visitor = await self._authenticate(request, address)
            await self._charge(visitor, address)
        except LimitReached as error:
            was_delayed = await self._chat.network_throttle.delay_response(address)
            if visitor or not was_delayed or not _is_sign_in(scope):
                app = problem_response(error)
        await app(scope, receive, send)

    async def _charge(self, visitor: Visitor | None, address: str) -> None:
        chat = self._chat
        if visitor:
            chat.limits.calls.hit(visitor.id)
            await chat.work_budget.spend(Cost.API_CALL, visitor_id=visitor.id, address=address)
        elif address:
            chat.limits.calls.hit(address)
            await chat.work_budget.spend(Cost.API_CALL, address=address)

    async def _authenticate(self, request: Request, address: str) -> Visitor | None:
        header = request.headers.get("authorization")
        scheme, token = get_authorization_scheme_param(header)
        if not token or scheme.lower() != "bearer":
            return None
        try:
            return await self._chat.identity.authenticate(token, address=address)
        except Unavailable:  # the endpoint reports it
            return None


def _is_sign_in(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.endswith("/visitors")
