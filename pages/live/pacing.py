"""How fast sockets are read: no faster than the work budgets of those who speak over them allow."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anonchat import Cost, LimitReached, WorkBudget

from ..origins import SOCKETS
from .packets import read_engine_id
from .sockets import Holder, find_holder


class Pacing:
    """Charges each packet of a socket to its visitor and client network before it is handled.

    What is beyond a budget stays unread in the socket until there is room for it again. A polled
    request that would have to wait for too long is answered with 429.
    """

    def __init__(self, app: ASGIApp, *, budget: WorkBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(SOCKETS):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, self._pace(scope, receive), send)
        else:
            await self._answer_poll(scope, receive, send)

    def _pace(self, scope: Scope, receive: Receive) -> Receive:
        holder, address = _find_holder(scope), _address(scope)

        async def receive_in_time() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return message
            try:
                await self._budget.spend(
                    _cost(message),
                    visitor_id=holder.visitor_id,
                    pass_id=holder.pass_id,
                    address=address,
                    longest=None,
                )
            except LimitReached:  # they wait on many other sockets already
                return {"type": "websocket.disconnect", "code": 1013}
            return message

        return receive_in_time

    async def _answer_poll(self, scope: Scope, receive: Receive, send: Send) -> None:
        holder, address = _find_holder(scope), _address(scope)
        try:
            await self._budget.spend(
                _cost_of_poll(scope),
                visitor_id=holder.visitor_id,
                pass_id=holder.pass_id,
                address=address,
            )
        except LimitReached:
            await send({"type": "http.response.start", "status": 429, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)


def _cost(message: Message) -> float:
    if message["type"] == "websocket.connect":
        return Cost.SOCKET
    length = len(message.get("text") or message.get("bytes") or "")
    return Cost.PACKET + Cost.PACKET_KIB * length / 1024


def _cost_of_poll(scope: Scope) -> float:
    if not read_engine_id(scope):
        return Cost.SOCKET
    packets: int = scope.get("packets", 0)
    length: int = scope.get("length", 0)
    return Cost.POLL + Cost.PACKET * packets + Cost.PACKET_KIB * length / 1024


def _find_holder(scope: Scope) -> Holder:
    """Return whose page a socket says that it is for; that it is so is seen later, by `Sockets`."""
    return find_holder(scope["query_string"].decode("latin-1"))


def _address(scope: Scope) -> str:
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else ""
