"""The admin socket of the running process.

A running process holds the lock on the keys, so it handles requests itself, on a Unix socket in its
data folder that only its owner may open. Otherwise the command starts the chat for one request.
"""

import asyncio
import json
import logging
import os
import socket
from contextlib import suppress

from ..chat import Chat
from ..errors import ChatError
from .admin_client import socket_path
from .admin_requests import REQUESTS

_MAX_REQUEST_BYTES = 8_192
_REQUEST_TIMEOUT_SECONDS = 5.0
_log = logging.getLogger(__name__)


class AdminServer:
    """The Unix socket of a running chat: each connection is one request line and one response."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._path = socket_path(chat.settings)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Start listening; log a warning if the socket cannot be created."""
        listener = socket.socket(socket.AF_UNIX)
        try:
            # Left by a crash: the folder is locked by this process.
            self._path.unlink(missing_ok=True)
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
                request, arguments = _parse_request(await reader.readline())
            try:
                answer = await REQUESTS[request](self._chat, arguments)
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


def _parse_request(line: bytes) -> tuple[str, dict[str, str]]:
    match json.loads(line):
        case {"request": str(request), "arguments": dict(arguments)} if request in REQUESTS:
            return request, arguments
    raise ValueError("invalid admin request")
