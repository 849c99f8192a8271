"""Client address, scheme and path prefix of requests that a trusted proxy forwards."""

import logging
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from .request_rate_limit import HEALTH_CHECK_PATHS

_log = logging.getLogger(__name__)

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PREFIX = b"x-forwarded-prefix"
_FORWARDED_HEADERS = {_FORWARDED_FOR, b"forwarded", b"x-real-ip"}


class ForwardedHeadersMiddleware:
    """Applies `X-Forwarded-For` and `X-Forwarded-Proto` from trusted proxies only.

    `X-Forwarded-Prefix` is dropped unless a trusted proxy sends it.

    Logs one warning if another address sends such headers, and one if a trusted proxy sends none:
    in both cases all visitors behind a proxy may count as one address.
    """

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        hosts = [_normalize_host(host) for host in filter(None, map(str.strip, trusted.split(",")))]
        self._app = app
        self._proxied_app = ProxyHeadersMiddleware(app, trusted_hosts=hosts)  # type: ignore[arg-type]
        self._warned: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if client := scope.get("client"):
            scope["client"] = client = (_normalize_address(client[0]), client[1])
        names = {name for name, _ in scope["headers"] if name in _FORWARDED_HEADERS}
        app: Any = self._app
        if client and client[0] in self._proxied_app.trusted_hosts:
            app = self._proxied_app
            # A proxy sends health checks on its own behalf.
            if _FORWARDED_FOR not in names and not scope["path"].endswith(HEALTH_CHECK_PATHS):
                self._warn(
                    "a proxy in ANONCHAT_TRUSTED_PROXIES sends no X-Forwarded-For header: all its "
                    "visitors count as one address; configure the proxy to send that header"
                )
        else:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != _FORWARDED_PREFIX]
            if names:
                self._warn(
                    "forwarded headers from an address outside ANONCHAT_TRUSTED_PROXIES were "
                    "ignored: if it is your proxy, add it there, or all its visitors count as one "
                    "address"
                )
        await app(scope, receive, send)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            _log.warning(text)


def _normalize_host(host: str) -> str:
    """Return a network without host bits, which uvicorn does not accept."""
    return str(ip_network(host, strict=False)) if "/" in host else host


def _normalize_address(address: str) -> str:
    """Convert an IPv4-mapped IPv6 address, as dual-stack sockets report it, to IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or address)
