"""The attacker process. It reads one command per line as JSON, and answers each with one line.

It has the lowest priority, because a real attacker runs on other machines.
"""

import asyncio
import json
import os
import sys
from itertools import count
from typing import Any

import uvloop

from benchmarks.attacks.catalogue import find_way
from benchmarks.attacks.client import Client, Refused
from benchmarks.attacks.pace import Pace
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Way

_MAX_SECONDS = 60.0
_MAX_ACTS = 50_000
_CANCEL_SECONDS = 0.5
_ERRORS = (Refused, TimeoutError, OSError)
_LOWEST_PRIORITY = 19


class Attack:
    """A running attack."""

    def __init__(self, way: Way, client: Client, scene: Scene, *, within_limits: bool) -> None:
        self.done = self.refused = self.unanswered = 0
        self.last_refusal = ""
        self._way = way
        self._client = client
        self._scene = scene
        self._pace = Pace(way.allowed if within_limits else (), pages=scene.browser)
        self._act: Act | None = None
        self._is_stopped = False
        self._numbers = count()
        self._workers: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        """Open the pages and connections that it needs."""
        self._act = await self._way.prepare(self._client, self._scene)

    def begin(self, *, acts: int) -> None:
        """Act in the background until `end`, or until the number of acts is done."""
        limit = min(acts, self._way.held or _MAX_ACTS, _MAX_ACTS)
        self._workers = [asyncio.create_task(self._work(limit)) for _ in range(self._scene.browser)]

    async def finish(self) -> None:
        """Wait until all acts are done."""
        await asyncio.gather(*self._workers)

    async def end(self) -> None:
        """Cancel the remaining acts."""
        self._is_stopped = True
        waiting = set(self._workers)
        while waiting:
            for worker in waiting:  # again, because a concurrent timeout can hide it
                worker.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=_CANCEL_SECONDS)
        for worker in self._workers:
            if not worker.cancelled() and (error := worker.exception()):
                raise error

    async def _work(self, limit: int) -> None:
        assert self._act
        clock = asyncio.get_running_loop()
        deadline = clock.time() + _MAX_SECONDS
        while not self._is_stopped and clock.time() < deadline:
            if (number := next(self._numbers)) >= limit:
                return
            await self._pace.wait()
            try:
                await self._act(number)
            except TimeoutError:
                self.unanswered += 1
            except _ERRORS as error:
                self.refused += 1
                self.last_refusal = str(error)
                await asyncio.sleep(0)
            else:
                self.done += 1


async def serve() -> None:
    """Execute the commands of standard input until it ends."""
    clients: list[Client] = []
    attack: Attack | None = None

    async def handle(verb: str, parameters: dict[str, Any]) -> dict[str, Any]:
        nonlocal attack
        match verb:
            case "prepare":
                scene = Scene.from_json(parameters["scene"])
                client = await Client(scene.url, scene.address).__aenter__()
                clients.append(client)
                attack = Attack(
                    find_way(parameters["way"]),
                    client,
                    scene,
                    within_limits=parameters["within_limits"],
                )
                await attack.prepare()
            case "begin" if attack:
                attack.begin(acts=parameters["acts"])
            case "finish" if attack:
                await attack.finish()
            case "end" if attack:
                await attack.end()
                for client in clients:
                    await client.__aexit__(None, None, None)
                clients.clear()
                return {
                    "done": attack.done,
                    "refused": attack.refused,
                    "unanswered": attack.unanswered,
                    "last_refusal": attack.last_refusal[:300],
                }
        return {}

    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        parameters = json.loads(line)
        try:
            response = await handle(parameters.pop("verb"), parameters)
        except Exception as error:  # returned to the caller
            response = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(response) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.nice(_LOWEST_PRIORITY)
    uvloop.run(serve())
