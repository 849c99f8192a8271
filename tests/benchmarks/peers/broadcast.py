"""The floor: a bare `websockets.broadcast` to everybody in the room."""

import json
import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

_rooms: dict[str, set[ServerConnection]] = defaultdict(set)


async def talk(connection: ServerConnection) -> None:
    """Pass on what this screen says."""
    assert connection.request
    room = _rooms[connection.request.path]
    room.add(connection)
    try:
        async for said in connection:
            message = json.loads(said)
            broadcast(room, json.dumps({"nickname": message["nickname"], "text": message["text"]}))
    finally:
        room.discard(connection)


async def main() -> None:
    async with serve(talk, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
