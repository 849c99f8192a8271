"""How every peer in Python that is an ASGI application is served: as anonchat serves itself."""

from typing import Any

import uvicorn


def serve(app: Any, port: int) -> None:
    """Serve the application until the process is told to stop."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
    )
