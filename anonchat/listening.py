"""The addresses that this process listens on: how they are bound, refused and written."""

import errno
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from .errors import StartError

_BACKLOG = 128  # connections that wait to be accepted
_PORT_ERRORS = (errno.EADDRINUSE, errno.EACCES)


def bind(host: str, port: int, *, setting: str = "ANONCHAT") -> list[socket.socket]:
    """Bind a socket to each address of a host, without listening yet; port 0 is any free one.

    Raises `StartError` that names `<setting>_HOST` or `<setting>_PORT`.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, place in dict.fromkeys((family, place) for family, *_, place in found):
            if door := _bind_one(family, (place[0], port, *place[2:])):
                sockets.append(door)
                port = door.getsockname()[1]
    except (OSError, UnicodeError) as error:
        for door in sockets:
            door.close()
        raise _explain_refusal(host, port, error, setting=setting) from error
    if not sockets:
        missing = OSError(errno.EADDRNOTAVAIL, "this machine does not have it")
        raise _explain_refusal(host, port, missing, setting=setting)
    return sockets


def listen(
    sockets: Iterable[socket.socket],
    host: str,
    port: int,
    *,
    backlog: int = _BACKLOG,
    setting: str = "ANONCHAT",
) -> None:
    """Listen on sockets that `bind` has returned for this host and port; raises as it does."""
    try:
        for bound in sockets:
            bound.listen(backlog)
    except OSError as error:  # another process took the port after it was bound
        raise _explain_refusal(host, port, error, setting=setting) from error


def _explain_refusal(host: str, port: int, error: Exception, *, setting: str) -> StartError:
    """Return what an operator reads when an address cannot be listened on."""
    reason = getattr(error, "strerror", None) or "it is no name"
    if getattr(error, "errno", None) in _PORT_ERRORS:
        needs = "a port that is free and that this user may take"
        return StartError(f"{setting}_PORT: needs {needs}, got {port} on {host}: {reason}")
    return StartError(f"{setting}_HOST: needs an address of this machine, got {host!r}: {reason}")


def write_url(host: str, port: int) -> str:
    """Return the URL of an address.

    >>> write_url("127.0.0.1", 8080), write_url("::1", 8080)
    ('http://127.0.0.1:8080', 'http://[::1]:8080')
    """
    try:
        is_bracketed = ip_address(host).version == 6
    except ValueError:
        is_bracketed = False
    return f"http://[{host}]:{port}" if is_bracketed else f"http://{host}:{port}"


def _bind_one(family: socket.AddressFamily, place: tuple[str | int, ...]) -> socket.socket | None:
    """Return a bound socket, or `None` if this machine does not have the address."""
    try:
        door = socket.socket(family, socket.SOCK_STREAM)
    except OSError:  # the kernel does not speak IPv6
        return None
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind(place)
    except OSError as error:
        door.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return door
