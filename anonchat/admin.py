"""What an operator asks of a chat: of the one that runs, or of one that is started to be asked.

The one that runs has the keys in its hands and nobody else may take them, so it answers itself: on
a socket in its data folder that nobody but its owner may open.
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from .chat import Chat
from .errors import ChatError, StartError
from .secret import require_keys
from .services.expiry import Purge
from .settings import Settings

Answer = dict[str, Any]
"""What a request has brought about, as JSON has it."""

_REQUEST_MOST = 8_192
_PATIENCE_SECONDS = 5.0
_log = logging.getLogger(__name__)


class AdminDoor:
    """The socket of a chat that runs: one line comes in, one answer goes out."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._path = _socket_of(chat.settings)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen; a chat whose folder takes no socket does without."""
        door = socket.socket(socket.AF_UNIX)
        try:
            self._path.unlink(missing_ok=True)  # a crash has left it: the folder is ours alone
            mask = os.umask(0o177)
            try:
                door.bind(str(self._path))
            finally:
                os.umask(mask)
            self._server = await asyncio.start_unix_server(
                self._answer, sock=door, limit=_REQUEST_MOST
            )
        except OSError as error:
            door.close()
            _log.warning("commands cannot reach this process: %s", error.strerror or error.args[0])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                request, about = _read(await reader.readline())
            try:
                answer = await _REQUESTS[request](self._chat, about)
                said = await asyncio.to_thread(json.dumps, {"answer": answer})
            except ChatError as refusal:
                said = json.dumps({"refusal": str(refusal)})
            except Exception as error:
                _log.exception("a command failed")
                said = json.dumps({"refusal": f"it failed, see the log: {type(error).__name__}"})
            writer.write(said.encode())
            await writer.drain()
        writer.close()


async def ask(settings: Settings, request: str, about: str = "") -> Answer:
    """Ask the chat of the data folder, whether it runs or not.

    Raises `StartError` with one line for the operator, whatever was wrong.
    """
    require_keys(settings)
    try:
        reader, writer = await asyncio.open_unix_connection(_socket_of(settings))
    except PermissionError:
        raise StartError(f"ANONCHAT_DATA_DIR: {settings.data_dir} is another user's") from None
    except OSError:  # nobody listens, so nobody runs; else the keys are in use
        return await _ask_own(settings, request, about)
    try:
        writer.write(json.dumps({"request": request, "about": about}).encode() + b"\n")
        said = json.loads(await reader.read())
    except (OSError, ValueError):
        raise StartError("anonchat has ended before it answered") from None
    finally:
        writer.close()
    if "refusal" in said:
        raise StartError(said["refusal"])
    answer: Answer = said["answer"]
    return answer


async def is_running(settings: Settings) -> bool:
    """Tell whether somebody answers for the data folder."""
    try:
        _, writer = await asyncio.open_unix_connection(_socket_of(settings))
    except OSError:
        return False
    writer.close()
    return True


async def _ask_own(settings: Settings, request: str, about: str) -> Answer:
    chat = Chat(settings)
    try:
        found = await chat.start()
        if request == "purge":  # to start is to purge
            return _tell(found)
        return await _REQUESTS[request](chat, about)
    except ChatError as refusal:
        raise StartError(str(refusal)) from refusal
    finally:
        await chat.stop()


def _read(line: bytes) -> tuple[str, str]:
    match json.loads(line):
        case {"request": str(request), "about": str(about)} if request in _REQUESTS:
            return request, about
    raise ValueError("that is no request")


async def _purge(chat: Chat, _: str) -> Answer:
    return _tell(await chat.purge())


def _tell(done: Purge) -> Answer:
    return {"messages": done.messages, "rooms": done.rooms, "visitors": done.visitors}


async def _count(chat: Chat, _: str) -> Answer:
    stock = await chat.inventory.count()
    return {name: _write(value) for name, value in asdict(stock).items()}


async def _list_rooms(chat: Chat, _: str) -> Answer:
    entries = await chat.inventory.list_rooms()
    return {
        "rooms": [
            {
                "name": entry.room.name,
                "slug": entry.room.slug,
                "listed": entry.room.listed,
                "members": entry.members,
                "messages": entry.messages,
                "ends": _write(entry.room.expires_at),
            }
            for entry in entries
        ]
    }


async def _close_room(chat: Chat, slug: str) -> Answer:
    room = await chat.rooms.find(slug)
    return {"messages": await chat.rooms.close(room.id)}


def _write(value: object) -> object:
    """Write a moment as people and programs read it; anything else is JSON already."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _socket_of(settings: Settings) -> Path:
    return settings.data_dir / "admin.sock"


_REQUESTS: Mapping[str, Callable[[Chat, str], Awaitable[Answer]]] = {
    "purge": _purge,
    "stats": _count,
    "rooms": _list_rooms,
    "close-room": _close_room,
}
