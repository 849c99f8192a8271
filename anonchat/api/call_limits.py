"""Limits how often, and for how much processor time, the API is called."""

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import ASGIApp, Receive, Scope, Send

from ..chat import Chat
from ..costs import Cost
from ..errors import LimitReached, Unavailable
from ..nouns import Visitor
from .problems import answer_error


class CallLimits:
    """Counts every call, of whatever address, before anything is done for it.

    Whoever is known by their token is counted as themselves; all others of an address together.
    Strangers who sign in are slowed down here and not refused: they are posed a challenge.
    """

    def __init__(self, app: ASGIApp, *, chat: Chat) -> None:
        self._app = app
        self._chat = chat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        address = request.client.host if request.client else ""
        answer, visitor = self._app, None
        try:
            visitor = await self._recognise(request, address)
            await self._count(visitor, address)
        except LimitReached as error:
            was_paced = await self._chat.busy_networks.pace(address)
            if visitor or not was_paced or not _is_sign_in(scope):
                answer = answer_error(error)
        await answer(scope, receive, send)

    async def _count(self, visitor: Visitor | None, address: str) -> None:
        chat = self._chat
        if visitor:
            chat.limits.calls.spend(visitor.id)
            await chat.work.spend(Cost.CALL, visitor_id=visitor.id, address=address)
        elif address:
            chat.limits.calls.spend_address(address)
            await chat.work.spend(Cost.CALL, address=address)

    async def _recognise(self, request: Request, address: str) -> Visitor | None:
        header = request.headers.get("authorization")
        scheme, token = get_authorization_scheme_param(header)
        if not token or scheme.lower() != "bearer":
            return None
        try:
            return await self._chat.identity.recognise(token, address=address)
        except Unavailable:  # the call itself will say so
            return None


def _is_sign_in(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "POST" and path.endswith("/visitors")
