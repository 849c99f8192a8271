"""Rate limit on the requests of a client network: delayed first, then refused."""

import asyncio
from datetime import timedelta

import pytest
from starlette.types import Message, Receive, Scope, Send

from anonchat.rates import Rate
from pages.http.request_rate_limit import RequestRateLimitMiddleware
from tests.fakes import FakeClock, make_limit

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class RateLimitedApp:
    """An application that responds 200, behind the rate limit."""

    def __init__(self, clock: FakeClock, rate: Rate) -> None:
        self._app = RequestRateLimitMiddleware(self._respond, limit=make_limit(rate, clock))

    async def request(self, address: str, kind: str = "http") -> Message:
        """Send a request from an address; return the first message of the response."""
        messages: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("the body must not be read")

        async def send(message: Message) -> None:
            messages.append(message)

        scope = {"type": kind, "path": "/", "headers": [], "client": (address, 1)}
        await self._app(scope, receive, send)
        return messages[0]

    async def _respond(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def test_requests_over_the_limit_are_refused_if_the_wait_is_long(
    clock: FakeClock,
) -> None:
    app = RateLimitedApp(clock, Rate(2, timedelta(minutes=1)))
    statuses = [(await app.request(HERE))["status"] for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert await app.request(HERE, "websocket") == {"type": "websocket.close", "code": 1013}
    assert (await app.request(ELSEWHERE))["status"] == 200
    clock.advance(timedelta(minutes=1))
    assert (await app.request(HERE))["status"] == 200


async def test_requests_over_the_limit_are_delayed(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    app = RateLimitedApp(clock, Rate(2, timedelta(seconds=1)))
    statuses = [(await app.request(HERE))["status"] for _ in range(4)]
    assert statuses == [200, 200, 200, 200]
    assert waits == [0.5, 1.0]
