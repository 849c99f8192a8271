"""Free TCP ports for servers that tests, benchmarks and the local cluster start."""

import socket

_PORTS = range(20_000, 32_000)  # below those that the system gives to outgoing connections


def free_port() -> int:
    """Return a port of this machine that no other caller gets until this process exits.

    A port chosen by the system could be taken by another process before it is used. An abstract
    Unix socket reserves it among all processes that call this function.
    """
    for port in _PORTS:
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0anonchat-port-{port}")
            _bind(port)
        except OSError:
            reservation.close()
        else:
            reservation.detach()  # open until this process exits
            return port
    raise OSError(f"no free port in {_PORTS}")


def _bind(port: int) -> None:
    """Bind the port for a moment; raise `OSError` if a server uses it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
