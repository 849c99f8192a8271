"""Floods during a load run: a client repeats one action as fast as it is answered."""

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
from benchmarks.attacks.attacker import Attacker
from benchmarks.attacks.scene import Scene
from tests.history.api_clients import Program
from tests.history.place import Place
from tests.history.storm import SETTINGS, Disruption, Report

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
"""Settings of a flooded site: the default limits, but higher ones for posts and deletions, because
the clients of a load run post more often than people."""

_PURGED_SECONDS = 60.0  # for which a row may outlive its message, as promised
_ATTACKERS = 4
_CONNECTIONS = 16
_FULL = 200
_LONG = "long " * 790
_MEASURE_SECONDS = 0.2
_EXPECTED_REFUSALS = ("invalid-message", "not-a-member")  # of requests that are invalid on purpose


class Floods:
    """The visitors of an attacker (`programs`), and the results of their floods.

    `tally` counts requests that were done, refused and unanswered. `skipped` lists the floods that
    could not start because the site refused their preparation. `message_count` is the number of
    messages in each room of the attacker.
    """

    def __init__(self, url: str, *, message_count: int = _FULL) -> None:
        self.tally: Counter[str] = Counter()
        self.skipped: list[str] = []
        self._url = url
        self._message_count = message_count
        self.programs = [Program(url, f"Attacker {number}") for number in range(_ATTACKERS)]
        self._addresses = count(2)
        self._rooms = ("", "")

    async def __aenter__(self) -> Self:
        first = self.programs[0]
        for program in self.programs:
            await program.sign_in()
        full, own = await first.open("attackers"), await first.open("attackers-own")
        self._rooms = full, own
        for slug, text in ((full, _LONG), (own, "own")):
            for program in self.programs:
                await program.join(Place(slug, ttl=3_600))
            for number in range(self._message_count):
                body = {"text": f"{number} {text}"}
                author = self.programs[number % _ATTACKERS]
                answer = await author.call("POST", f"/rooms/{slug}/messages", json=body)
                answer.raise_for_status()
        return self

    async def __aexit__(self, *_: object) -> None:
        for program in self.programs:
            await program.close()

    def in_turn(self, ways: Sequence[str], *, room: str, seconds: float) -> list[Disruption]:
        """Return disruptions that each flood one entry point, as members of the room."""

        def make_flood(way: str) -> Disruption:
            async def floods(_random: Random) -> None:
                for program in self.programs:
                    await program.call("PUT", f"/rooms/{room}/membership")
                await self._flood(way, room, seconds)

            return floods

        return [make_flood(way) for way in ways]

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
    """Measures the longest time in seconds for which a row outlives its message."""

    def __init__(self, database: Path) -> None:
        self.lateness = 0.0
        self._database = database
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._measure_repeatedly())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _measure_repeatedly(self) -> None:
        while True:
            self.lateness = max(self.lateness, await asyncio.to_thread(self._measure))
            await asyncio.sleep(_MEASURE_SECONDS)

    def _measure(self) -> float:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            (oldest,) = database.execute("SELECT min(expires_at) FROM message").fetchone()
        if oldest is None:
            return 0.0
        end = datetime.fromisoformat(oldest).replace(tzinfo=UTC)
        return max(0.0, time.time() - end.timestamp())


def find_flood_faults(
    report: Report, skipped: Sequence[str], lateness: float, *, alarms: Sequence[str]
) -> list[str]:
    """Return a sentence for each fault that the floods have caused.

    `skipped` are the floods that did not start, `lateness` is the longest time in seconds for which
    a row outlived its message, `alarms` are error lines of the server log.
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
        faults.append(f"alarm: {len(alarms)} log lines, such as {alarms[0][:300]}")
    return faults
