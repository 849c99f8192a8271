"""Which address a request comes from, if a proxy has passed it on."""

import logging
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_log = logging.getLogger(__name__)

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDING = {_FORWARDED_FOR, b"forwarded", b"x-real-ip"}
_PROBES = ("/healthz", "/readyz")  # a proxy asks for these on its own behalf


class ForwardedHeaders:
    """Believes `X-Forwarded-For` and `X-Forwarded-Proto` of trusted proxies, and of nobody else.

    Warns once if somebody else sends such headers, and once if a trusted proxy sends none: in both
    cases all visitors of a proxy may count as one address.
    """

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        hosts = [_tidy_host(host) for host in filter(None, map(str.strip, trusted.split(",")))]
        self._app = app
        self._believing = ProxyHeadersMiddleware(app, trusted_hosts=hosts)  # type: ignore[arg-type]
        self._warned: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if client := scope.get("client"):
            scope["client"] = client = (_tidy_address(client[0]), client[1])
        names = {name for name, _ in scope["headers"] if name in _FORWARDING}
        app: Any = self._app
        if client and client[0] in self._believing.trusted_hosts:
            app = self._believing
            if _FORWARDED_FOR not in names and scope["path"] not in _PROBES:
                self._warn(
                    "a proxy that ANONCHAT_TRUSTED_PROXIES names sends no X-Forwarded-For, the one "
                    "header that is read: all its visitors count as one address"
                )
        elif names:
            self._warn(
                "forwarded headers come from an address that ANONCHAT_TRUSTED_PROXIES does not "
                "name: if that is your proxy, name it there, or all its visitors count as one "
                "address"
            )
        await app(scope, receive, send)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            _log.warning(text)


def _tidy_host(host: str) -> str:
    """Return a network without the bits of one host in it, which uvicorn would not understand."""
    return str(ip_network(host, strict=False)) if "/" in host else host


def _tidy_address(address: str) -> str:
    """Return the IPv4 address that a socket for both kinds writes as one of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or address)
