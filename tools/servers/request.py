"""A request to a server whose answer begins with its status."""

import asyncio

_TIMEOUT_SECONDS = 5.0


async def request(port: int, text: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> str:
    """Return the first 64 bytes of the answer, or `""` if there is none within the timeout."""
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(text.encode())
                return (await reader.read(64)).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""


async def is_status_ok(port: int, path: str) -> bool:
    """Return whether an HTTP server answers a GET request with status 200."""
    host = f"127.0.0.1:{port}"
    text = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return (await request(port, text)).startswith("HTTP/1.1 200")


async def is_listening(port: int) -> bool:
    """Return whether a server accepts connections at this port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
