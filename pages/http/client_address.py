"""The IP address of a client."""

from starlette.requests import HTTPConnection


def client_address(connection: HTTPConnection) -> str:
    """Return the IP address of the client, "" if unknown. Used for limits, never stored."""
    return connection.client.host if connection.client else ""
