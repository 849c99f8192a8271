"""A real server whose machine is lied to about the time (libfaketime)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.program import Program
from tests.browser.house import PATIENCE, House
from tests.forgetting.thief import read_keys

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
TTL = 8
MINUTE = 60
pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


class Machine:
    """A server, and the clock of the machine that it runs on."""

    def __init__(self, folder: Path) -> None:
        self._wall = folder / "wall clock"
        folder.mkdir()
        self.set("+0")
        self.house = House(
            folder / "house",
            around={
                "LD_PRELOAD": str(LIBRARIES[0]),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_TIMESTAMP_FILE": str(self._wall),
            },
            message_ttl=f"{TTL}s",
            message_ttl_min="5s",
            janitor_interval="2s",
        )

    def set(self, offset: str) -> None:
        """Set the wall clock so far away from the right time."""
        fresh = self._wall.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self._wall)

    @property
    def spans(self) -> list[str]:
        """The names of the keys of all messages that are not forgotten."""
        secret = (self.house.data / "secret.key").read_text()
        return [n for n in read_keys(self.house.data / "keys", secret) if n.startswith("span")]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Machine, Program]]:
    """Start a machine, and let Ann come in."""
    machine = Machine(folder)
    await machine.house.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"{machine.house.url}/api/v1", timeout=PATIENCE
        ) as http:
            token = (await http.post("/visitors", json={"nickname": "Ann"})).json()["token"]
            yield machine, Program(http, token)
    finally:
        await machine.house.kill()


@pytest.fixture
async def machine_and_ann(tmp_path: Path) -> AsyncIterator[tuple[Machine, Program]]:
    async with running(tmp_path / "machine") as both:
        yield both


@pytest.fixture
def machine(machine_and_ann: tuple[Machine, Program]) -> Machine:
    return machine_and_ann[0]


@pytest.fixture
def ann(machine_and_ann: tuple[Machine, Program]) -> Program:
    return machine_and_ann[1]


async def _never_late(ann: Program, slug: str, said_at: float) -> None:
    """Read until the message is gone; whoever asks after its end must not be given it."""
    while True:
        asked_at = time.monotonic()
        items = (await ann.read(slug))["items"]
        if not items:
            return
        assert asked_at < said_at + TTL, "an expired message was shown"
        await asyncio.sleep(0.1)


async def _forgotten_in_time(machine: Machine, said_at: float) -> None:
    while machine.spans:
        assert time.monotonic() < said_at + TTL + MINUTE, "kept beyond its time and a minute"
        await asyncio.sleep(0.2)


async def test_a_step_neither_shows_nor_keeps_what_has_expired(tmp_path: Path) -> None:
    async def step(offset: str) -> None:
        async with running(tmp_path / offset) as (machine, ann):
            slug = (await ann.open("night train"))["slug"]
            await ann.say(slug, "tick")
            said_at = time.monotonic()
            assert machine.spans
            machine.set(offset)
            await _never_late(ann, slug, said_at)
            await _forgotten_in_time(machine, said_at)

    async with asyncio.TaskGroup() as steps:  # each waits for the end of a minute
        for offset in ("-2h", "-40d", "+90s"):
            steps.create_task(step(offset))


async def test_steps_to_and_fro_stop_neither_time_nor_the_janitor(
    machine: Machine, ann: Program
) -> None:
    slug = (await ann.open("night train"))["slug"]
    for offset in ("-1d", "+1d", "-1h", "+1h", "+0"):
        machine.set(offset)
        await ann.say(slug, f"at {offset}")
        said_at = time.monotonic()
    await _never_late(ann, slug, said_at)
    await _forgotten_in_time(machine, said_at)


async def test_a_leap_ahead_destroys_nothing_and_is_said_loudly(
    machine: Machine, ann: Program
) -> None:
    slug = (await ann.open("day train", message_ttl="1h"))["slug"]
    await ann.say(slug, "one")
    machine.set("+40d")
    await ann.say(slug, "two")
    async with asyncio.timeout(PATIENCE):
        while "leapt ahead" not in machine.house.log:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    await _a_round_passes(ann)
    assert [item["text"] for item in (await ann.read(slug))["items"]] == ["one", "two"]
    machine.set("+0")
    async with asyncio.timeout(PATIENCE):
        while "come back" not in machine.house.log:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    assert len((await ann.read(slug))["items"]) == 2


async def test_a_clock_that_is_set_back_while_nobody_looks_brings_nothing_back(
    machine: Machine, ann: Program
) -> None:
    slug = (await ann.open("night train"))["slug"]
    await ann.say(slug, "tick")
    said_at = time.monotonic()
    await _a_round_passes(ann)  # until then time is known to have passed
    await machine.house.kill()
    machine.set("-3h")
    await machine.house.start()
    assert "behind the time that was reached before" in machine.house.log
    while (await ann.read(slug))["items"]:
        assert time.monotonic() < said_at + TTL + MINUTE, "time has not gone on"
        await asyncio.sleep(0.2)
    await _forgotten_in_time(machine, said_at)


async def _a_round_passes(ann: Program) -> None:
    """Wait until the janitor has taken another message off the disk."""
    slug = (await ann.open("hourglass", message_ttl="5s"))["slug"]
    await ann.say(slug, "grain")
    before = await _forgotten(ann)
    async with asyncio.timeout(PATIENCE):
        while await _forgotten(ann) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def _forgotten(ann: Program) -> int:
    """Return how many messages were forgotten, as the ledger says."""
    url = str(ann.http.base_url).removesuffix("/api/v1/")
    said = re.search(r"(\d+) messages? forgotten", (await ann.http.get(f"{url}/privacy")).text)
    assert said
    return int(said[1])
