"""Serves the ASGI peers with the same uvicorn settings as anonchat."""

from typing import Any

import uvicorn


def serve(app: Any, port: int) -> None:
    """Serve the application until the process is stopped."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
