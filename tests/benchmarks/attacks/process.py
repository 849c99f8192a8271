"""The process of the attacker. It is told what to do by one line of JSON at a time, and answers so.

It takes only the processor time that nothing else wants: an attacker has machines of their own.
"""

import asyncio
import json
import os
import sys
from itertools import count
from typing import Any

import uvloop

from tests.benchmarks.attacks.catalogue import find_way
from tests.benchmarks.attacks.client import Client, Refused
from tests.benchmarks.attacks.pace import Pace
from tests.benchmarks.attacks.scene import Scene
from tests.benchmarks.attacks.way import Act, Way

_LONGEST_SECONDS = 60.0
_ACTS_MOST = 50_000
_CANCEL_SECONDS = 0.5
_ERRORS = (Refused, TimeoutError, OSError)
_LEAST_PRIORITY = 19


class Attack:
    """One way in, from the first act to the last."""

    def __init__(self, way: Way, client: Client, scene: Scene, *, within_limits: bool) -> None:
        self.done = self.refused = self.unanswered = 0
        self.last_refusal = ""
        self._way = way
        self._client = client
        self._scene = scene
        self._pace = Pace(way.allowed if within_limits else (), pages=scene.browser)
        self._act: Act | None = None
        self._is_over = False
        self._numbers = count()
        self._workers: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        """Open what it needs."""
        self._act = await self._way.prepare(self._client, self._scene)

    def begin(self, *, acts: int) -> None:
        """Go on in the background until `end`, or until it was done so often."""
        most = min(acts, self._way.held or _ACTS_MOST, _ACTS_MOST)
        self._workers = [asyncio.create_task(self._work(most)) for _ in range(self._scene.browser)]

    async def finish(self) -> None:
        """Wait until it was done so often."""
        await asyncio.gather(*self._workers)

    async def end(self) -> None:
        """Stop in the middle of it."""
        self._is_over = True
        waiting = set(self._workers)
        while waiting:
            for worker in waiting:  # again, since a timeout at the same moment hides it
                worker.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=_CANCEL_SECONDS)
        for worker in self._workers:
            if not worker.cancelled() and (error := worker.exception()):
                raise error

    async def _work(self, most: int) -> None:
        assert self._act
        clock = asyncio.get_running_loop()
        until = clock.time() + _LONGEST_SECONDS
        while not self._is_over and clock.time() < until:
            if (number := next(self._numbers)) >= most:
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
    """Attack as standard input says, until it ends."""
    clients: list[Client] = []
    attack: Attack | None = None

    async def handle(verb: str, wishes: dict[str, Any]) -> dict[str, Any]:
        nonlocal attack
        match verb:
            case "prepare":
                scene = Scene.from_json(wishes["scene"])
                client = await Client(scene.url, scene.address).__aenter__()
                clients.append(client)
                attack = Attack(
                    find_way(wishes["way"]), client, scene, within_limits=wishes["within_limits"]
                )
                await attack.prepare()
            case "begin" if attack:
                attack.begin(acts=wishes["acts"])
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
        wishes = json.loads(line)
        try:
            answer = await handle(wishes.pop("verb"), wishes)
        except Exception as error:  # told to whoever asked
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.nice(_LEAST_PRIORITY)
    uvloop.run(serve())
