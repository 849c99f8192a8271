"""Rate limit for reading sockets, by the work budgets of their visitors and client networks."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anonchat import Cost, LimitReached, WorkBudget

from ..http.cross_origin import SOCKET_PATH
from .packets import read_engine_id
from .page_handshake import PageHolder, find_holder


class PacketRateLimitMiddleware:
    """Charges each packet of a socket to its visitor and client network before it is handled.

    Packets over budget stay unread in the socket until the budget recovers. A polling request that
    would wait for too long is answered with 429.
    """

    def __init__(self, app: ASGIApp, *, budget: WorkBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(SOCKET_PATH):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, self._limit_rate(scope, receive), send)
        else:
            await self._handle_polling(scope, receive, send)

    def _limit_rate(self, scope: Scope, receive: Receive) -> Receive:
        holder, address = _find_holder(scope), _address(scope)

        async def receive_within_budget() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return message
            try:
                await self._budget.spend(
                    _message_cost(message),
                    visitor_id=holder.visitor_id,
                    pass_id=holder.pass_id,
                    address=address,
                    max_wait=None,
                )
            except LimitReached:  # too many of its other sockets are waiting
                return {"type": "websocket.disconnect", "code": 1013}
            return message

        return receive_within_budget

    async def _handle_polling(self, scope: Scope, receive: Receive, send: Send) -> None:
        holder, address = _find_holder(scope), _address(scope)
        try:
            await self._budget.spend(
                _polling_cost(scope),
                visitor_id=holder.visitor_id,
                pass_id=holder.pass_id,
                address=address,
            )
        except LimitReached:
            await send({"type": "http.response.start", "status": 429, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)


def _message_cost(message: Message) -> float:
    if message["type"] == "websocket.connect":
        return Cost.SOCKET
    length = len(message.get("text") or message.get("bytes") or "")
    return Cost.PACKET + Cost.PACKET_KIB * length / 1024


def _polling_cost(scope: Scope) -> float:
    if not read_engine_id(scope):
        return Cost.SOCKET
    packets: int = scope.get("packets", 0)
    length: int = scope.get("length", 0)
    return Cost.POLL + Cost.PACKET * packets + Cost.PACKET_KIB * length / 1024


def _find_holder(scope: Scope) -> PageHolder:
    """Return the holder of the page that a socket names; `SocketAuthorizer` verifies it later."""
    return find_holder(scope["query_string"].decode("latin-1"))


def _address(scope: Scope) -> str:
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else ""
