"""Sends admin requests to the running process, or handles them in a temporary one."""

import asyncio
import json
from pathlib import Path
from typing import Any

from ..errors import ChatError, StartupError
from ..security.secret_key import require_keys
from ..settings import Settings


async def send_request(settings: Settings, request: str, **arguments: str) -> dict[str, Any]:
    """Send a request to the chat of the data folder, running or not, and return its result.

    Raises `StartupError` with one line for the operator on any error.
    """
    require_keys(settings)
    try:
        reader, writer = await asyncio.open_unix_connection(socket_path(settings))
    except PermissionError:
        raise StartupError(
            f"ANONCHAT_DATA_DIR: {settings.data_dir} belongs to another user"
        ) from None
    except OSError:  # nothing listens: not running, or the keys are found to be in use
        return await _handle_offline(settings, request, arguments)
    try:
        writer.write(json.dumps({"request": request, "arguments": arguments}).encode() + b"\n")
        response = json.loads(await reader.read())
    except (OSError, ValueError):
        raise StartupError("anonchat stopped before it answered") from None
    finally:
        writer.close()
    if "refusal" in response:
        raise StartupError(response["refusal"])
    answer: dict[str, Any] = response["answer"]
    return answer


async def is_running(settings: Settings) -> bool:
    """Return whether a process serves the data folder."""
    try:
        _, writer = await asyncio.open_unix_connection(socket_path(settings))
    except OSError:
        return False
    writer.close()
    return True


def socket_path(settings: Settings) -> Path:
    """Return the path of the admin socket."""
    return settings.data_dir / "admin.sock"


async def _handle_offline(
    settings: Settings, request: str, arguments: dict[str, str]
) -> dict[str, Any]:
    from ..chat import Chat
    from .admin_requests import REQUESTS, purge_answer

    chat = Chat(settings)
    try:
        purge = await chat.start()
        if request == "purge":  # the start has purged already
            return purge_answer(purge)
        return await REQUESTS[request](chat, arguments)
    except ChatError as refusal:
        raise StartupError(str(refusal)) from refusal
    finally:
        await chat.stop()
