"""How fast sockets are read: no faster than the work budgets of those who speak over them allow."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anonchat import Chat, Cost, LimitReached

from ..origins import SOCKETS
from .sockets import find_holder


class Pacing:
    """Charges each packet of a web socket to its visitor and client network before it is handled.

    What is beyond a budget stays unread in the socket until there is room for it again. That the
    socket was opened, and each poll, is charged with the other requests.
    """

    def __init__(self, app: ASGIApp, *, chat: Chat) -> None:
        self._app = app
        self._chat = chat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "websocket" and scope["path"].startswith(SOCKETS):
            receive = self._pace(scope, receive)
        await self._app(scope, receive, send)

    def _pace(self, scope: Scope, receive: Receive) -> Receive:
        visitor_id = find_holder(scope["query_string"].decode("latin-1")).visitor_id
        address = client[0] if (client := scope.get("client")) else ""

        async def receive_in_time() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                await self._spend(_cost(message), visitor_id, address)
            except LimitReached:  # they wait on many other sockets already
                return {"type": "websocket.disconnect", "code": 1013}
            return message

        return receive_in_time

    async def _spend(self, milliseconds: float, visitor_id: str, address: str) -> None:
        if visitor_id:
            await self._chat.work.spend(
                milliseconds, visitor_id=visitor_id, address=address, longest=None
            )
        else:
            await self._chat.strangers.spend(milliseconds, address=address)


def _cost(message: Message) -> float:
    length = len(message.get("text") or message.get("bytes") or "")
    return Cost.PACKET + Cost.PACKET_KIB * length / 1024
