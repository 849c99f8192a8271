"""Each time of a job is claimed once, by one node, across restarts."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat
from tests.fakes import FakeClock, running_chat

pytestmark = pytest.mark.usefixtures("either_place")

MINUTE = timedelta(minutes=1)


async def test_each_slot_is_claimed_once(chat: Chat, clock: FakeClock) -> None:
    claim, slot = chat.job_runs.claim, clock()
    assert await claim("remind", slot)
    assert not await claim("remind", slot)
    assert await claim("remind", slot + MINUTE)
    assert not await claim("remind", slot), "an earlier slot must not run after a later one"


async def test_jobs_are_claimed_separately(chat: Chat, clock: FakeClock) -> None:
    assert await chat.job_runs.claim("remind", clock())
    assert await chat.job_runs.claim("count", clock())


async def test_concurrent_claims_of_one_slot_succeed_once(chat: Chat, clock: FakeClock) -> None:
    for number in range(3):
        slot = clock() + number * MINUTE
        claims = await asyncio.gather(*(chat.job_runs.claim("remind", slot) for _ in range(10)))
        assert sum(claims) == 1


async def test_claimed_slot_stays_claimed_after_a_restart(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    assert await chat.job_runs.claim("remind", clock())
    await chat.stop()
    async with running_chat(tmp_path / "data", clock) as again:
        assert not await again.job_runs.claim("remind", clock())
        assert await again.job_runs.claim("remind", clock() + MINUTE)
