"""A client of the API for tests, acting for one visitor."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.timeouts import DEADLINE


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    kind: str
    id: int | None
    data: Any


class EventStream:
    """An open stream of events."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> Event:
        """Return the next event; skip comments, and fail at the end of the stream."""
        async with asyncio.timeout(DEADLINE):
            event = await self._read()
        assert event, "the stream has ended"
        return event

    async def next_line(self) -> str | None:
        """Return the next raw line."""
        async with asyncio.timeout(DEADLINE):
            return await anext(self._lines, None)

    async def ready(self) -> int:
        """Wait for the `ready` event; return its seq."""
        event = await self.next()
        assert event.kind == "ready", event
        return int(event.data["seq"])

    async def rest(self) -> list[Event]:
        """Return all events until the stream ends."""
        events = []
        async with asyncio.timeout(DEADLINE):
            while event := await self._read():
                events.append(event)
        return events

    async def until(self, kind: str, **data: object) -> list[Event]:
        """Return all events up to the first of a kind that contains `data`."""
        events = []
        while True:
            events.append(event := await self.next())
            if event.kind == kind and data.items() <= event.data.items():
                return events

    async def _read(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                id = int(fields["id"]) if "id" in fields else None
                return Event(fields["event"], id, json.loads(fields["data"]))
        return None


class ApiClient:
    """A client of the API with the token of a visitor."""

    def __init__(self, http: httpx.AsyncClient, token: str = "") -> None:
        self.http = http
        self.token = token

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API with the token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET request."""
        return await self.call("GET", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON body; an error response fails the test."""
        response = await self.call(method, path, **options)
        assert response.is_success, response.text
        return response.json() if response.content else None

    async def open(self, name: str, **choices: object) -> Any:
        """Find or create a room, and join it."""
        return await self.ask("POST", "/rooms", json={"name": name, **choices})

    async def say(self, slug: str, *texts: str) -> list[Any]:
        """Post texts one after the other; repeat those that were not stored in time."""
        return [await self._post(slug, text) for text in texts]

    async def _post(self, slug: str, text: str) -> Any:
        message = {"text": text, "dedup_id": uuid4().hex}
        path = f"/rooms/{slug}/messages"
        while (response := await self.call("POST", path, json=message)).status_code == 503:
            pass
        assert response.is_success, response.text
        return response.json()

    async def read(self, slug: str, **where: object) -> Any:
        """Return a page of the message history."""
        return await self.ask("GET", f"/rooms/{slug}/messages", params=where)

    @asynccontextmanager
    async def listen(
        self, slug: str, *, last_event_id: int | None = None, **where: int
    ) -> AsyncIterator[EventStream]:
        """Open the event stream of a room."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        path = f"/rooms/{slug}/events"
        async with self.http.stream("GET", path, headers=headers, params=where) as response:
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            yield EventStream(response.aiter_lines())
