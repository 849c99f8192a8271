"""Floods beside a storm: one client after the other does one thing as fast as it is answered."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Self

from anonchat import Settings
from anonchat.rates import Rate
from tests.benchmarks.attacks.attacker import Attacker
from tests.benchmarks.attacks.scene import Scene
from tests.history.place import Place
from tests.history.programs import Program
from tests.history.storm import SETTINGS, Blow, Report

WAYS = (
    "socket: no handshake, held",
    "socket: page connected, idle",
    "polling: junk posted, aborted",
    "polling: GETs aborted",
    "page: /login",
    "page: room opened and closed",
    "event: a room's messages catch up",
    "event: own rooms catch up",
    "event: posts",
    "event: rooms joined and left",
    "API: sign-in with a phrase",
    "API: joins and leaves",
    "API: rooms made",
    "API: messages read",
    "API: messages deleted",
    "reader: streams held, unread",
    "reader: pages held, unread",
)
LIMITED = (
    {
        name: str(field.default)
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, Rate)
    }
    | SETTINGS
    | {"posts_per_visitor": "1200/1m", "deletions_per_visitor": "600/1m"}
)
"""Settings of a site that is flooded: the limits of every site, but who talks in a storm does so
more often than people do."""

_PURGED_SECONDS = 60.0  # for how long a row may outlive its message: that is promised
_ATTACKERS = 4
_CONNECTIONS = 16
_FULL = 200
_LONG = "long " * 790
_LOOK_SECONDS = 0.2
_EXPECTED_REFUSALS = ("invalid-message", "not-a-member")  # of what a storm tries on purpose


class Floods:
    """Visitors of an attacker on a site (`programs`), and what came of their floods.

    `tally` counts what was done, refused, and never answered; `skipped` names the floods that could
    not even begin, as the site had refused what they need. `said` is how much is in the attacker's
    rooms.
    """

    def __init__(self, url: str, *, said: int = _FULL) -> None:
        self.tally: Counter[str] = Counter()
        self.skipped: list[str] = []
        self._url = url
        self._said = said
        self.programs = [Program(url, f"Attacker {number}") for number in range(_ATTACKERS)]
        self._addresses = count(2)
        self._rooms = ("", "")

    async def __aenter__(self) -> Self:
        first = self.programs[0]
        for program in self.programs:
            await program.come_in()
        full, own = await first.open("attackers"), await first.open("attackers-own")
        self._rooms = full, own
        for slug, text in ((full, _LONG), (own, "own")):
            for program in self.programs:
                await program.join(Place(slug, ttl=3_600))
            for number in range(self._said):
                body = {"text": f"{number} {text}"}
                speaker = self.programs[number % _ATTACKERS]
                answer = await speaker.call("POST", f"/rooms/{slug}/messages", json=body)
                answer.raise_for_status()
        return self

    async def __aexit__(self, *_: object) -> None:
        for program in self.programs:
            await program.close()

    def in_turn(self, ways: Sequence[str], *, room: str, seconds: float) -> list[Blow]:
        """Return blows of which each floods one way in for so long; they come into the room too."""

        def make(way: str) -> Blow:
            async def floods(_chance: Random) -> None:
                for program in self.programs:
                    await program.call("PUT", f"/rooms/{room}/membership")
                await self._flood(way, room, seconds)

            return floods

        return [make(way) for way in ways]

    async def _flood(self, way: str, room: str, seconds: float) -> None:
        async with Attacker() as attacker:
            try:
                await attacker.prepare(way, self._scene(room))
            except RuntimeError as error:
                self.skipped.append(f"{way}: {error}")
                return
            await attacker.begin()
            await asyncio.sleep(seconds)
            tally = await attacker.end()
        self.tally.update(done=tally.done, refused=tally.refused, unanswered=tally.unanswered)

    def _scene(self, room: str) -> Scene:
        full, own = self._rooms
        return Scene(
            url=self._url,
            address=f"127.0.{next(self._addresses)}.1",
            tokens=tuple(program.token for program in self.programs),
            full_room=full,
            own_room=own,
            lively_room=room,
            browser=_CONNECTIONS,
        )


class PurgeWatch:
    """Sees for how many seconds at most the row of a message outlives it, from outside."""

    def __init__(self, database: Path) -> None:
        self.lateness = 0.0
        self._database = database
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look_again_and_again())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _look_again_and_again(self) -> None:
        while True:
            self.lateness = max(self.lateness, await asyncio.to_thread(self._look))
            await asyncio.sleep(_LOOK_SECONDS)

    def _look(self) -> float:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            (oldest,) = database.execute("SELECT min(expires_at) FROM message").fetchone()
        if oldest is None:
            return 0.0
        end = datetime.fromisoformat(oldest).replace(tzinfo=UTC)
        return max(0.0, time.time() - end.timestamp())


def find_flood_faults(
    report: Report, skipped: Sequence[str], lateness: float, *, alarms: Sequence[str]
) -> list[str]:
    """Return a sentence for each thing that a flood should not have changed.

    `skipped` are the floods that did not begin, `lateness` is for how many seconds a row outlived
    its message, `alarms` are the lines of the server's log that say that something went wrong.
    """
    faults = [
        f"turned away: {number} posts of others were refused: {reason}"
        for reason, number in sorted(report.refusals.items())
        if not reason.endswith(_EXPECTED_REFUSALS)
    ]
    faults += [f"no flood: {each}" for each in skipped]
    if lateness > _PURGED_SECONDS:
        faults.append(f"late: a row outlived its message by {lateness:.1f} s")
    if alarms:
        faults.append(f"alarm: {len(alarms)} lines of the log, such as {alarms[0][:300]}")
    return faults
