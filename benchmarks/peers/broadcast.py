"""The baseline: a bare `websockets.broadcast` to all connections of the room."""

import json
import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

_rooms: dict[str, set[ServerConnection]] = defaultdict(set)


async def talk(connection: ServerConnection) -> None:
    """Broadcast the messages of this connection."""
    assert connection.request
    room = _rooms[connection.request.path]
    room.add(connection)
    try:
        async for data in connection:
            message = json.loads(data)
            broadcast(room, json.dumps({"nickname": message["nickname"], "text": message["text"]}))
    finally:
        room.discard(connection)


async def main() -> None:
    """Serve on the port of the command line."""
    async with serve(talk, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
