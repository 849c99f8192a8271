"""Listening sockets: binding, startup errors and URLs."""

import errno
import socket
from collections.abc import Iterable

from ..errors import StartupError

_BACKLOG = 128  # connections not accepted yet
_PORT_ERRORS = (errno.EADDRINUSE, errno.EACCES)


def bind(host: str, port: int, *, setting: str = "ANONCHAT") -> list[socket.socket]:
    """Bind a socket to each address of a host without listening; port 0 picks a free port.

    Raises `StartupError` naming `<setting>_HOST` or `<setting>_PORT`.
    """
    sockets: list[socket.socket] = []
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, *_, address in infos):
            if bound := _bind_one(family, (address[0], port, *address[2:])):
                sockets.append(bound)
                port = bound.getsockname()[1]
    except (OSError, UnicodeError) as error:
        for bound in sockets:
            bound.close()
        raise _startup_error(host, port, error, setting=setting) from error
    if not sockets:
        missing = OSError(errno.EADDRNOTAVAIL, "no network interface has this address")
        raise _startup_error(host, port, missing, setting=setting)
    return sockets


def listen(
    sockets: Iterable[socket.socket],
    host: str,
    port: int,
    *,
    backlog: int = _BACKLOG,
    setting: str = "ANONCHAT",
) -> None:
    """Listen on sockets returned by `bind` for this host and port. Raises `StartupError`."""
    try:
        for bound in sockets:
            bound.listen(backlog)
    except OSError as error:  # another process took the port after it was bound
        raise _startup_error(host, port, error, setting=setting) from error


def _startup_error(host: str, port: int, error: Exception, *, setting: str) -> StartupError:
    """Return the startup error for an address that cannot be bound."""
    reason = getattr(error, "strerror", None) or "invalid host name"
    if getattr(error, "errno", None) in _PORT_ERRORS:
        needs = "a port that is free and that this user may bind"
        return StartupError(f"{setting}_PORT: needs {needs}, got {port} on {host}: {reason}")
    return StartupError(f"{setting}_HOST: needs an address of this machine, got {host!r}: {reason}")


def format_url(host: str, port: int) -> str:
    """Return the URL of an address.

    >>> format_url("127.0.0.1", 8080), format_url("::1", 8080)
    ('http://127.0.0.1:8080', 'http://[::1]:8080')
    """
    if ":" in host:  # IPv6; a zone follows an encoded "%"
        host = f"[{host.replace('%', '%25')}]"
    return f"http://{host}:{port}"


def _bind_one(family: socket.AddressFamily, address: tuple[str | int, ...]) -> socket.socket | None:
    """Return a bound socket, or `None` if this machine does not have the address."""
    try:
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError:  # the kernel has no IPv6 support
        return None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return bound
