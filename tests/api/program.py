"""A program that takes part: one visitor, and how a test speaks for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE = 240  # seconds: what takes longer never comes


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    kind: str
    id: int | None
    data: Any


class Stream:
    """An open stream of events."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> Event:
        """Return the next event; comments and an end are no events."""
        async with asyncio.timeout(PATIENCE):
            event = await self._read()
        assert event, "the stream has ended"
        return event

    async def next_line(self) -> str | None:
        """Return the next line as it is."""
        async with asyncio.timeout(PATIENCE):
            return await anext(self._lines, None)

    async def ready(self) -> int:
        """Wait until the stream has caught up; return up to where."""
        event = await self.next()
        assert event.kind == "ready", event
        return int(event.data["seq"])

    async def rest(self) -> list[Event]:
        """Return everything that comes until the stream ends."""
        events = []
        async with asyncio.timeout(PATIENCE):
            while event := await self._read():
                events.append(event)
        return events

    async def until(self, kind: str, **data: object) -> list[Event]:
        """Return everything up to an event of that kind with that in it."""
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


class Program:
    """A visitor of the API."""

    def __init__(self, http: httpx.AsyncClient, token: str = "") -> None:
        self.http = http
        self.token = token

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API with the token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Read."""
        return await self.call("GET", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """Call, and return what was answered; a refusal fails the test."""
        answer = await self.call(method, path, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def open(self, name: str, **choices: object) -> Any:
        """Find or create a room, and be in it."""
        return await self.ask("POST", "/rooms", json={"name": name, **choices})

    async def say(self, slug: str, *texts: str) -> list[Any]:
        """Post these texts one after the other."""
        return [
            await self.ask("POST", f"/rooms/{slug}/messages", json={"text": text}) for text in texts
        ]

    async def read(self, slug: str, **where: object) -> Any:
        """Return a page of the history."""
        return await self.ask("GET", f"/rooms/{slug}/messages", params=where)

    @asynccontextmanager
    async def listen(
        self, slug: str, *, last_event_id: int | None = None, **where: int
    ) -> AsyncIterator[Stream]:
        """Hear what happens in a room."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        path = f"/rooms/{slug}/events"
        async with self.http.stream("GET", path, headers=headers, params=where) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Stream(answer.aiter_lines())
