"""Requests of a client network beyond its limit wait, whatever they ask for."""

import asyncio
from datetime import timedelta

import pytest
from starlette.types import Message, Receive, Scope, Send

from anonchat.rates import Rate
from pages.request_pace import RequestPace
from tests.fakes import FakeClock, make_limit

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Site:
    """An application that answers 200, and everything that was answered."""

    def __init__(self, clock: FakeClock, rate: Rate) -> None:
        self._app = RequestPace(self._answer, limit=make_limit(rate, clock))

    async def ask(self, address: str, kind: str = "http") -> Message:
        """Ask for something from that address; return the beginning of the answer."""
        answered: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("nothing is read")

        async def send(message: Message) -> None:
            answered.append(message)

        scope = {"type": kind, "path": "/", "headers": [], "client": (address, 1)}
        await self._app(scope, receive, send)
        return answered[0]

    async def _answer(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def test_requests_of_a_network_beyond_its_limit_are_refused_if_they_would_wait_long(
    clock: FakeClock,
) -> None:
    site = Site(clock, Rate(2, timedelta(minutes=1)))
    statuses = [(await site.ask(HERE))["status"] for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert await site.ask(HERE, "websocket") == {"type": "websocket.close", "code": 1013}
    assert (await site.ask(ELSEWHERE))["status"] == 200
    clock.move(timedelta(minutes=1))
    assert (await site.ask(HERE))["status"] == 200


async def test_requests_of_a_network_beyond_its_limit_wait(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    site = Site(clock, Rate(2, timedelta(seconds=1)))
    statuses = [(await site.ask(HERE))["status"] for _ in range(4)]
    assert statuses == [200, 200, 200, 200]
    assert waits == [0.5, 1.0]
