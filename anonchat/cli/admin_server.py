"""Admin requests, handled by the running process or by a temporary one.

A running process holds the lock on the keys, so it handles requests itself, on a Unix socket in its
data folder that only its owner may open. Otherwise the command starts the chat for one request.
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

from ..chat import Chat
from ..errors import ChatError, StartupError
from ..security.secret_key import require_keys
from ..services.expiry import PurgeResult
from ..settings import Settings

AdminResponse = dict[str, Any]
"""The result of a request, as JSON."""

_MAX_REQUEST_BYTES = 8_192
_REQUEST_TIMEOUT_SECONDS = 5.0
_log = logging.getLogger(__name__)


class AdminServer:
    """The Unix socket of a running chat: each connection is one request line and one response."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._path = _socket_path(chat.settings)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Start listening; log a warning if the socket cannot be created."""
        listener = socket.socket(socket.AF_UNIX)
        try:
            self._path.unlink(
                missing_ok=True
            )  # left by a crash: the folder is locked by this process
            mask = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(mask)
            self._server = await asyncio.start_unix_server(
                self._handle, sock=listener, limit=_MAX_REQUEST_BYTES
            )
        except OSError as error:
            listener.close()
            _log.warning(
                "admin socket unavailable, commands cannot reach this process: %s",
                error.strerror or error.args[0],
            )

    async def stop(self) -> None:
        """Close the socket and remove its file."""
        if self._server:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_REQUEST_TIMEOUT_SECONDS):
                request, about = _parse_request(await reader.readline())
            try:
                answer = await _HANDLERS[request](self._chat, about)
                response = await asyncio.to_thread(json.dumps, {"answer": answer})
            except ChatError as refusal:
                response = json.dumps({"refusal": str(refusal)})
            except Exception as error:
                _log.exception("admin command failed: %s", request)
                reason = f"the command failed with {type(error).__name__}; see the log"
                response = json.dumps({"refusal": reason})
            writer.write(response.encode())
            await writer.drain()
        writer.close()


async def send_request(settings: Settings, request: str, about: str = "") -> AdminResponse:
    """Send a request to the chat of the data folder, running or not, and return its result.

    Raises `StartupError` with one line for the operator on any error.
    """
    require_keys(settings)
    try:
        reader, writer = await asyncio.open_unix_connection(_socket_path(settings))
    except PermissionError:
        raise StartupError(
            f"ANONCHAT_DATA_DIR: {settings.data_dir} belongs to another user"
        ) from None
    except OSError:  # nothing listens: not running, or the keys are found to be in use
        return await _handle_offline(settings, request, about)
    try:
        writer.write(json.dumps({"request": request, "about": about}).encode() + b"\n")
        response = json.loads(await reader.read())
    except (OSError, ValueError):
        raise StartupError("anonchat stopped before it answered") from None
    finally:
        writer.close()
    if "refusal" in response:
        raise StartupError(response["refusal"])
    answer: AdminResponse = response["answer"]
    return answer


async def is_running(settings: Settings) -> bool:
    """Return whether a process serves the data folder."""
    try:
        _, writer = await asyncio.open_unix_connection(_socket_path(settings))
    except OSError:
        return False
    writer.close()
    return True


async def _handle_offline(settings: Settings, request: str, about: str) -> AdminResponse:
    chat = Chat(settings)
    try:
        purge = await chat.start()
        if request == "purge":  # the start has purged already
            return _purge_answer(purge)
        return await _HANDLERS[request](chat, about)
    except ChatError as refusal:
        raise StartupError(str(refusal)) from refusal
    finally:
        await chat.stop()


def _parse_request(line: bytes) -> tuple[str, str]:
    match json.loads(line):
        case {"request": str(request), "about": str(about)} if request in _HANDLERS:
            return request, about
    raise ValueError("invalid admin request")


async def _purge(chat: Chat, _: str) -> AdminResponse:
    return _purge_answer(await chat.purge())


def _purge_answer(purge: PurgeResult) -> AdminResponse:
    return {"messages": purge.messages, "rooms": purge.rooms, "visitors": purge.visitors}


async def _count(chat: Chat, _: str) -> AdminResponse:
    counts = await chat.admin_stats.count()
    return {name: _to_json(value) for name, value in asdict(counts).items()}


async def _list_rooms(chat: Chat, _: str) -> AdminResponse:
    rooms = await chat.admin_stats.list_rooms()
    return {
        "rooms": [
            {
                "name": entry.room.name,
                "slug": entry.room.slug,
                "listed": entry.room.listed,
                "members": entry.members,
                "messages": entry.messages,
                "ends": _to_json(entry.room.expires_at),
            }
            for entry in rooms
        ]
    }


async def _close_room(chat: Chat, slug: str) -> AdminResponse:
    room = await chat.rooms.find(slug)
    return {"messages": await chat.rooms.close(room.id)}


def _to_json(value: object) -> object:
    """Return a datetime in ISO 8601 with seconds; other values are JSON already."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


def _socket_path(settings: Settings) -> Path:
    return settings.data_dir / "admin.sock"


_HANDLERS: Mapping[str, Callable[[Chat, str], Awaitable[AdminResponse]]] = {
    "purge": _purge,
    "stats": _count,
    "rooms": _list_rooms,
    "close-room": _close_room,
}
