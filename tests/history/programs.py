"""Programs that take part over the API, and do not give up when a line breaks."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx

from tests.history.place import Place, now
from tests.history.record import Line, Post, Sight, Telling

_PAUSE = 0.1
_ANSWER_SECONDS = 4  # a line that is held this long is given up
_SILENCE_SECONDS = 20  # the server says every 15 s that it is there
_UNSURE = {500, 502, 503}  # nothing is said about whether it was done
_ENDED = "message-expired"  # it was stored once


class Program:
    """One visitor of the API."""

    def __init__(self, url: str, nickname: str, token: str = "") -> None:
        self.nickname = nickname
        self.token = token
        self.tries = 0
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1",
            timeout=_ANSWER_SECONDS,
            limits=httpx.Limits(max_connections=None),
        )

    async def close(self) -> None:
        """Let all lines go."""
        await self._http.aclose()

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call until there is an answer."""
        while True:
            if answer := await self.try_to_call(method, path, **options):
                return answer
            await asyncio.sleep(_PAUSE)

    async def try_to_call(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """Call once; return nothing if the answer was lost."""
        self.tries += 1
        try:
            answer = await self._http.request(method, path, headers=self._headers(), **options)
        except httpx.TransportError:
            return None
        return None if answer.status_code in _UNSURE else answer

    async def come_in(self) -> None:
        """Take the nickname; if the answer is lost, another one."""
        name = self.nickname
        for number in range(2, 1_000):
            answer = await self.try_to_call("POST", "/visitors", json={"nickname": self.nickname})
            if answer is not None and answer.status_code != 409:  # else somebody has it, oneself?
                self.token = answer.raise_for_status().json()["token"]
                return
            self.nickname = f"{name} {number}"
            await asyncio.sleep(_PAUSE)

    async def open(self, name: str, **choices: object) -> str:
        """Find or create a room, be in it, and return its address."""
        answer = await self.call("POST", "/rooms", json={"name": name, **choices})
        return str(answer.raise_for_status().json()["slug"])

    async def join(self, place: Place) -> str:
        """Be in a room; return by which name one is an author there."""
        answer = await self.call("PUT", f"/rooms/{place.slug}/membership")
        return str(answer.raise_for_status().json()["author"])

    async def leave(self, place: Place) -> None:
        """Be in a room no more."""
        (await self.call("DELETE", f"/rooms/{place.slug}/membership")).raise_for_status()

    async def say(
        self, place: Place, text: str, *, dedup_id: str, author: str, at_once: int = 1
    ) -> Post:
        """Say something, `at_once` on several lines, and again until there is an answer.

        In time, that is: who tries for longer than a message lives may say it a second time.
        """
        post = place.post(text, dedup_id=dedup_id, author=author)
        while not (post.accepted or post.refused) and now() < post.until - place.ttl / 2:
            await asyncio.gather(*(self._try_to_say(place, post) for _ in range(at_once)))
            if not (post.accepted or post.refused):
                await asyncio.sleep(_PAUSE)
        return post

    async def say_again(self, place: Place, post: Post) -> None:
        """Say something again that is stored already, as if nobody had answered."""
        if now() < post.until - place.ttl / 2:
            await self._try_to_say(place, post)

    async def _try_to_say(self, place: Place, post: Post) -> None:
        post.tries += 1
        body = {"text": post.text, "dedup_id": post.dedup_id}
        answer = await self.try_to_call("POST", f"/rooms/{place.slug}/messages", json=body)
        if answer is None:
            return
        if answer.status_code == 201:
            post.accepted.append(now())
            post.stored.append(_read_line(answer.json()))
        elif not answer.json()["type"].endswith(_ENDED):
            post.refused.append(answer.json()["type"])

    async def delete(self, place: Place, post: Post) -> None:
        """Take a message back."""
        line = post.stored[0]
        path = f"/rooms/{place.slug}/messages/{line.id}"
        removal = place.record.removal(asked=now(), seq=line.seq)
        answer = await self.call("DELETE", path)
        if answer.status_code in (204, 404):  # now, by an earlier try, or by its end
            removal.done = now()

    async def be_forgotten(self, authors: dict[Place, str]) -> None:
        """Be forgotten, with everything one has said."""
        asked = now()
        removals = [
            place.record.removal(asked=asked, author=author) for place, author in authors.items()
        ]
        await self.call("DELETE", "/visitors/me")
        for removal in removals:
            removal.done = now()

    async def read(self, place: Place) -> tuple[Line, ...]:
        """Return everything that can be read, page by page."""
        lines: list[Line] = []
        where: dict[str, Any] = {"after": 0, "limit": 50}
        while where:
            asked = now()
            answer = await self.call("GET", f"/rooms/{place.slug}/messages", params=where)
            page = answer.raise_for_status().json()
            told = [_read_line(item) for item in page["items"]]
            place.record.tellings.append(Telling(self.nickname, asked, tuple(told)))
            lines += told
            where = {"cursor": page["next"], "limit": 50} if page["next"] else {}
        return tuple(lines)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @contextlib.asynccontextmanager
    async def stream(self, place: Place, after: int) -> AsyncIterator[AsyncIterator[str]]:
        """Open a stream of events, and give its lines."""
        headers = {**self._headers(), "Last-Event-ID": str(after)}
        path = f"/rooms/{place.slug}/events"
        timeout = httpx.Timeout(_ANSWER_SECONDS, read=_SILENCE_SECONDS)
        async with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            yield answer.raise_for_status().aiter_lines()


class Ear:
    """Hears what happens in a room, and resumes where a line broke."""

    def __init__(self, name: str, program: Program, place: Place) -> None:
        self.name = name
        self.resumed = 0
        self._program = program
        self._place = place
        self._lines: dict[int, Line] = {}
        self._told = place.record.streams.setdefault(name, [])
        self._after = 0
        self._asked = 0.0
        self._sure = False

    async def live(self) -> None:
        """Listen."""
        while True:
            with contextlib.suppress(httpx.HTTPError, json.JSONDecodeError):
                await self._listen()
            self._sure = False
            await asyncio.sleep(_PAUSE)

    def look(self) -> Sight:
        """Return what is known now."""
        at = now()
        lines = [line for line in self._lines.values() if line.until > at]
        lines.sort(key=lambda line: line.seq)
        return Sight(self.name, at, self._asked, tuple(lines), self._sure)

    def describe(self) -> str:
        """Return whether anything new can reach it."""
        return f"{self.name} {'hears' if self._sure else 'waits for a stream'} after {self._after}"

    async def _listen(self) -> None:
        asked = now()
        kind, id, data = "", "", ""
        async with self._program.stream(self._place, self._after) as lines:
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
                            self._asked, self._sure = asked, True
                            self.resumed += 1
                        self._hear(asked, kind, json.loads(data))
                        self._after = int(id) if id else self._after
                        kind = id = data = ""

    def _hear(self, asked: float, kind: str, content: Any) -> None:
        if kind == "message":
            line = _read_line(content)
            self._told.append(line.seq)
            self._lines[line.seq] = line
            self._place.record.tellings.append(Telling(self.name, asked, (line,)))
        elif kind == "gone":
            for seq in content["seqs"]:
                self._lines.pop(seq, None)
        if kind in ("message", "gone", "ready") and self._sure:
            self._place.record.sights.append(self.look())


def _read_line(content: dict[str, Any]) -> Line:
    return Line(
        seq=content["seq"],
        text=content["text"],
        author=content["author"],
        until=datetime.fromisoformat(content["expires_at"]).timestamp(),
        id=content["id"],
    )
