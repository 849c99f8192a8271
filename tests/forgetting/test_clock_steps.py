"""Steps of the wall clock under a real server (with libfaketime)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.api_client import ApiClient
from tests.forgetting.disk_copies import read_keys
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
TTL = 8
MINUTE = 60
pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


class Machine:
    """A server and the wall clock of its machine."""

    def __init__(self, folder: Path) -> None:
        self._wall = folder / "wall clock"
        folder.mkdir()
        self.set("+0")
        self.server_process = ServerProcess(
            folder / "site",
            environment={
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
        """Set the offset of the wall clock."""
        fresh = self._wall.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self._wall)

    @property
    def spans(self) -> list[str]:
        """The names of the span keys, which exist as long as their messages."""
        secret = (self.server_process.data / "secret.key").read_text()
        return [
            n for n in read_keys(self.server_process.data / "keys", secret) if n.startswith("span")
        ]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Machine, ApiClient]]:
    """Start a server, and sign Ann in."""
    machine = Machine(folder)
    await machine.server_process.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"{machine.server_process.url}/api/v1", timeout=DEADLINE
        ) as http:
            token = (await http.post("/visitors", json={"nickname": "Ann"})).json()["token"]
            yield machine, ApiClient(http, token)
    finally:
        machine.server_process.kill()


@pytest.fixture
async def machine_and_ann(tmp_path: Path) -> AsyncIterator[tuple[Machine, ApiClient]]:
    async with running(tmp_path / "machine") as both:
        yield both


@pytest.fixture
def machine(machine_and_ann: tuple[Machine, ApiClient]) -> Machine:
    return machine_and_ann[0]


@pytest.fixture
def ann(machine_and_ann: tuple[Machine, ApiClient]) -> ApiClient:
    return machine_and_ann[1]


async def _assert_never_shown_late(ann: ApiClient, slug: str, posted_at: float) -> None:
    """Read until the message is gone; fail if it is returned after its expiry."""
    while True:
        requested_at = time.monotonic()
        items = (await ann.read(slug))["items"]
        if not items:
            return
        assert requested_at < posted_at + TTL, "an expired message was shown"
        await asyncio.sleep(0.1)


async def _assert_deleted_in_time(machine: Machine, posted_at: float) -> None:
    while machine.spans:
        assert time.monotonic() < posted_at + TTL + MINUTE, (
            "key was kept for over a minute after expiry"
        )
        await asyncio.sleep(0.2)


async def test_clock_step_neither_shows_nor_keeps_expired_messages(tmp_path: Path) -> None:
    async def step(offset: str) -> None:
        async with running(tmp_path / offset) as (machine, ann):
            slug = (await ann.open("night train"))["slug"]
            await ann.say(slug, "tick")
            posted_at = time.monotonic()
            assert machine.spans
            machine.set(offset)
            await _assert_never_shown_late(ann, slug, posted_at)
            await _assert_deleted_in_time(machine, posted_at)

    async with asyncio.TaskGroup() as steps:  # each lasts about a minute
        for offset in ("-2h", "-40d", "+90s"):
            steps.create_task(step(offset))


async def test_repeated_clock_steps_stop_neither_time_nor_the_janitor(
    machine: Machine, ann: ApiClient
) -> None:
    slug = (await ann.open("night train"))["slug"]
    for offset in ("-1d", "+1d", "-1h", "+1h", "+0"):
        machine.set(offset)
        await ann.say(slug, f"at {offset}")
        posted_at = time.monotonic()
    await _assert_never_shown_late(ann, slug, posted_at)
    await _assert_deleted_in_time(machine, posted_at)


async def test_large_clock_jump_destroys_nothing_and_is_logged(
    machine: Machine, ann: ApiClient
) -> None:
    slug = (await ann.open("day train", message_ttl="1h"))["slug"]
    await ann.say(slug, "one")
    machine.set("+40d")
    await ann.say(slug, "two")
    async with asyncio.timeout(DEADLINE):
        while "jumped ahead" not in machine.server_process.log:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    await _wait_for_purge(ann)
    assert [item["text"] for item in (await ann.read(slug))["items"]] == ["one", "two"]
    machine.set("+0")
    async with asyncio.timeout(DEADLINE):
        while "jump was reverted" not in machine.server_process.log:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    assert len((await ann.read(slug))["items"]) == 2


async def test_clock_set_back_during_downtime_delays_no_expiry(
    machine: Machine, ann: ApiClient
) -> None:
    slug = (await ann.open("night train"))["slug"]
    await ann.say(slug, "tick")
    posted_at = time.monotonic()
    await _wait_for_purge(ann)  # this time is recorded
    machine.server_process.kill()
    machine.set("-3h")
    await machine.server_process.start()
    assert "behind the last recorded time" in machine.server_process.log
    while (await ann.read(slug))["items"]:
        assert time.monotonic() < posted_at + TTL + MINUTE, "the clock of the server stands still"
        await asyncio.sleep(0.2)
    await _assert_deleted_in_time(machine, posted_at)


async def _wait_for_purge(ann: ApiClient) -> None:
    """Wait until the janitor has purged another message."""
    slug = (await ann.open("hourglass", message_ttl="5s"))["slug"]
    await ann.say(slug, "grain")
    before = await _count_deleted(ann)
    async with asyncio.timeout(DEADLINE):
        while await _count_deleted(ann) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def _count_deleted(ann: ApiClient) -> int:
    """Return the number of deleted messages from the privacy page."""
    url = str(ann.http.base_url).removesuffix("/api/v1/")
    match = re.search(r"(\d+) messages? forgotten", (await ann.http.get(f"{url}/privacy")).text)
    assert match
    return int(match[1])
