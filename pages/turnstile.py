"""How many pages are handed out: each one is kept until its browser comes for it, or a minute."""

from collections import defaultdict
from collections.abc import Callable

from fastapi import Request
from nicegui import Client
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from anonchat import Chat, TooOften, client_networks, neighbourhood

from .site import address_of

# What is no page, and costs next to nothing; the API counts its calls itself.
_FREE = ("/_nicegui", "/assets/", "/api/", "/healthz", "/readyz", "/favicon.ico")


class Turnstile:
    """Counts the pages that each address asks for, those too that are not there.

    Of too many that no browser has come for, the oldest go: to turn away whoever comes would let
    one flood keep everybody out. A browser that comes too late loads its page again by itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        chat: Chat,
        hold_back: Callable[[Request, TooOften], Response],
    ) -> None:
        self._app = app
        self._chat = chat
        self._hold_back = hold_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        answer = self._app
        if scope["type"] == "http" and not scope["path"].startswith(_FREE):
            request = Request(scope)
            try:
                self._count(request)
            except TooOften as error:
                answer = self._hold_back(request, error)
        await answer(scope, receive, send)

    def _count(self, request: Request) -> None:
        self._chat.limits.pages.spend(neighbourhood(address_of(request)))
        _make_room(self._chat.settings.pages_waiting_max)


def _make_room(most: int) -> None:
    if len(Client.instances) < most:  # so there cannot be as many that wait
        return
    waiting = [client for client in Client.instances.values() if not client.has_socket_connection]
    addresses = {client: address_of(client.request) for client in waiting}
    networks = {address: dict(client_networks(address)) for address in set(addresses.values())}
    held: dict[str, float] = defaultdict(float)
    for address in addresses.values():
        for network, weight in networks[address].items():
            held[network] += weight
    for _ in range(len(waiting) + 1 - most):
        greatest = max(held, key=held.__getitem__)
        oldest = next(client for client in waiting if greatest in networks[addresses[client]])
        waiting.remove(oldest)
        for network, weight in networks[addresses[oldest]].items():
            held[network] -= weight
        oldest.delete()
