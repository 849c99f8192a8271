"""anonchat whose broadcasts go through socket.io's own `emit` instead of `BroadcastWebSocket`."""

from nicegui import core

from main import main
from pages.transport import websocket


async def emit(event: str, data: object, *, room: str) -> int:
    """Send an event to every socket in a socket.io room; return the number of sockets."""
    await core.sio.emit(event, data, room=room)
    return sum(1 for _ in core.sio.manager.get_participants("/", room))


if __name__ == "__main__":
    websocket.broadcast = emit
    main()
