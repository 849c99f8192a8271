"""API clients that retry requests and resume streams when connections fail."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

from tests.history.place import Place, now
from tests.history.record import Line, Post, Sight, Telling, read_edition, write_edition

_PAUSE = 0.1
_TIMEOUT_SECONDS = 4  # timeout of a request
_SILENCE_SECONDS = 20  # the server sends a heartbeat every 15 s
_UNKNOWN_OUTCOME = {500, 502, 503}  # outcome unknown
_EXPIRED = "message-expired"  # the message was stored by an earlier attempt


class Program:
    """An API client of one visitor."""

    def __init__(self, url: str, nickname: str, token: str = "") -> None:
        self.nickname = nickname
        self.token = token
        self.tries = 0
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1",
            timeout=_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=None),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request until there is a response."""
        while True:
            if response := await self.try_call(method, path, **options):
                return response
            await asyncio.sleep(_PAUSE)

    async def try_call(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Send a request once; return `None` if the outcome is unknown."""
        self.tries += 1
        try:
            response = await self._http.request(method, path, headers=self._headers(), **options)
        except httpx.TransportError:
            return None
        return None if response.status_code in _UNKNOWN_OUTCOME else response

    async def sign_in(self) -> None:
        """Sign in; retry with another nickname if the response is lost."""
        name = self.nickname
        for number in range(2, 1_000):
            response = await self.try_call("POST", "/visitors", json={"nickname": self.nickname})
            # 409: the nickname is taken, perhaps by an earlier attempt
            if response is not None and response.status_code != 409:
                self.token = response.raise_for_status().json()["token"]
                return
            self.nickname = f"{name} {number}"
            await asyncio.sleep(_PAUSE)

    async def open(self, name: str, **choices: object) -> str:
        """Find or create a room, join it, and return its slug."""
        response = await self.call("POST", "/rooms", json={"name": name, **choices})
        return str(response.raise_for_status().json()["slug"])

    async def join(self, room: Place) -> str:
        """Join a room; return the author id in it."""
        response = await self.call("PUT", f"/rooms/{room.slug}/membership")
        return str(response.raise_for_status().json()["author"])

    async def leave(self, room: Place) -> None:
        """Leave a room."""
        (await self.call("DELETE", f"/rooms/{room.slug}/membership")).raise_for_status()

    async def say(
        self, room: Place, text: str, *, dedup_id: str, author: str, concurrency: int = 1
    ) -> Post:
        """Post a message in `concurrency` concurrent requests, and retry until there is a response.

        Retries end after half of the message's lifetime, because a retry after its expiry could
        store it again.
        """
        post = room.post(text, dedup_id=dedup_id, author=author)
        while not (post.accepted or post.refused) and now() < post.expires_at - room.ttl / 2:
            await asyncio.gather(*(self._try_to_post(room, post) for _ in range(concurrency)))
            if not (post.accepted or post.refused):
                await asyncio.sleep(_PAUSE)
        return post

    async def say_again(self, room: Place, post: Post) -> None:
        """Post a stored message again, as if the response had been lost."""
        if now() < post.expires_at - room.ttl / 2:
            await self._try_to_post(room, post)

    async def _try_to_post(self, room: Place, post: Post) -> None:
        post.tries += 1
        body = {"text": post.text, "dedup_id": post.dedup_id}
        response = await self.try_call("POST", f"/rooms/{room.slug}/messages", json=body)
        if response is None:
            return
        if response.status_code == 201:
            post.accepted.append(now())
            post.stored.append(_read_line(response.json()))
        elif not response.json()["type"].endswith(_EXPIRED):
            post.refused.append(response.json()["type"])

    async def delete(self, room: Place, post: Post) -> None:
        """Delete a message."""
        line = post.stored[0]
        path = f"/rooms/{room.slug}/messages/{line.id}"
        removal = room.record.removal(requested_at=now(), seq=line.seq)
        response = await self.call("DELETE", path)
        if response.status_code in (204, 404):  # 404: deleted by an earlier attempt, or expired
            removal.done = now()

    async def edit(self, room: Place, post: Post) -> bool:
        """Edit a message once; return whether the outcome is known."""
        line = post.stored[0]
        edit = room.record.edit(post, seq=line.seq, requested_at=now())
        body = {"text": write_edition(post.text, edit.edition)}
        path = f"/rooms/{room.slug}/messages/{line.id}"
        response = await self.try_call("PATCH", path, json=body)
        if response is None:
            return False
        if response.status_code == 200:
            edit.done = now()
        edit.is_refused = response.status_code != 200  # it is gone
        return True

    async def react(self, room: Place, post: Post, *, author: str, emoji: str, on: bool) -> bool:
        """Add or remove a reaction once; return whether the outcome is known."""
        line = post.stored[0]
        reacting = room.record.reacting(
            seq=line.seq, author=author, emoji=emoji, on=on, requested_at=now()
        )
        path = f"/rooms/{room.slug}/messages/{line.id}/reactions/{emoji}"
        response = await self.try_call("PUT" if on else "DELETE", path)
        if response is None:
            return False
        if response.status_code == 200:
            reacting.done = now()
        reacting.is_refused = response.status_code != 200
        return True

    async def delete_visitor(self, authors: dict[Place, str]) -> None:
        """Delete the visitor with all messages."""
        requested_at = now()
        removals = [
            room.record.removal(requested_at=requested_at, author=author)
            for room, author in authors.items()
        ]
        await self.call("DELETE", "/visitors/me")
        for removal in removals:
            removal.done = now()

    async def read(self, room: Place) -> tuple[Line, ...]:
        """Return all readable messages, page by page."""
        lines: list[Line] = []
        params: dict[str, Any] = {"after": 0, "limit": 50}
        while params:
            requested_at = now()
            response = await self.call("GET", f"/rooms/{room.slug}/messages", params=params)
            page = response.raise_for_status().json()
            items = [_read_line(item) for item in page["items"]]
            room.record.responses.append(Telling(self.nickname, requested_at, tuple(items)))
            lines += items
            params = {"cursor": page["next"], "limit": 50} if page["next"] else {}
        return tuple(lines)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @contextlib.asynccontextmanager
    async def stream(self, room: Place, after: int) -> AsyncIterator[AsyncIterator[str]]:
        """Open an event stream, and yield its lines."""
        headers = {**self._headers(), "Last-Event-ID": str(after)}
        path = f"/rooms/{room.slug}/events"
        timeout = httpx.Timeout(_TIMEOUT_SECONDS, read=_SILENCE_SECONDS)
        async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            yield response.raise_for_status().aiter_lines()


class StreamClient:
    """Receives the events of a room, and resumes the stream after a disconnection."""

    def __init__(self, name: str, program: Program, room: Place) -> None:
        self.name = name
        self.resumed = 0
        self._program = program
        self._room = room
        self._lines: dict[int, Line] = {}
        self._received_seqs = room.record.streams.setdefault(name, [])
        self._after = 0
        self._requested_at = 0.0
        self._is_synced = False

    async def live(self) -> None:
        """Receive events until cancelled."""
        while True:
            with contextlib.suppress(httpx.HTTPError, json.JSONDecodeError):
                await self._listen()
            self._is_synced = False
            await asyncio.sleep(_PAUSE)

    def look(self) -> Sight:
        """Return the current list."""
        at = now()
        lines = [line for line in self._lines.values() if line.expires_at > at]
        lines.sort(key=lambda line: line.seq)
        return Sight(self.name, at, self._requested_at, tuple(lines), self._is_synced)

    def describe(self) -> str:
        """Return the state of the stream for a report."""
        state = "is connected" if self._is_synced else "is not connected"
        return f"{self.name} {state} after {self._after}"

    async def _listen(self) -> None:
        requested_at = now()
        kind, id, data = "", "", ""
        async with self._program.stream(self._room, self._after) as lines:
            async for line in lines:
                name, _, value = line.partition(": ")
                match name:
                    case "event":
                        kind = value
                    case "id":
                        id = value
                    case "data":
                        data = value
                    case "" if not line and kind:
                        if kind == "ready":
                            self._requested_at, self._is_synced = requested_at, True
                            self.resumed += 1
                        self._receive(requested_at, kind, json.loads(data))
                        self._after = int(id) if id else self._after
                        kind = id = data = ""

    def _receive(self, requested_at: float, kind: str, content: Any) -> None:
        if kind == "message":
            line = _read_line(content)
            self._received_seqs.append(line.seq)
            self._lines[line.seq] = line
            self._room.record.responses.append(Telling(self.name, requested_at, (line,)))
        elif kind in ("edited", "reacted"):
            line = _read_line(content)
            known = self._lines.get(line.seq)
            if known and known.revision <= line.revision:
                self._lines[line.seq] = line
        elif kind == "gone":
            for seq in content["seqs"]:
                self._lines.pop(seq, None)
        if kind in ("message", "edited", "reacted", "gone", "ready") and self._is_synced:
            self._room.record.sights.append(self.look())


def _read_line(content: dict[str, Any]) -> Line:
    text, edition = read_edition(content["text"])
    reactions = [(each["emoji"], each["count"]) for each in content["reactions"]]
    return Line(
        seq=content["seq"],
        text=text,
        author=content["author"],
        expires_at=datetime.fromisoformat(content["expires_at"]).timestamp(),
        id=content["id"],
        revision=content["revision"],
        edition=edition,
        reactions=tuple(sorted(reactions)),
    )
