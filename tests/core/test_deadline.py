"""A deadline ends work that takes too long, but counts a standstill of the event loop as short."""

import asyncio
import time

import pytest

from anonchat.runtime.deadline import deadline

TICKS = 10


async def test_work_that_takes_too_long_is_cancelled() -> None:
    is_cancelled = False
    with pytest.raises(TimeoutError):
        async with deadline(0.05):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                is_cancelled = True
                raise
    assert is_cancelled


async def test_deadline_passes_no_sooner_than_given() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with deadline(0.2):
            await asyncio.Event().wait()
    assert time.monotonic() - began >= 0.19  # timers may be early by the clock's resolution


async def test_standstill_of_the_event_loop_counts_as_one_tick() -> None:
    for _ in range(2):
        async with deadline(0.05):
            for _ in range(TICKS - 2):
                time.sleep(0.05)  # noqa: ASYNC251  # stands for other work of the process
                await asyncio.sleep(0)


async def test_work_that_is_done_in_time_is_not_disturbed_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with deadline(0.01):
        await asyncio.sleep(0)
    loop, later = asyncio.get_running_loop(), asyncio.Event()
    loop.call_later(0.05, later.set)
    await later.wait()
    assert caplog.messages == []


async def test_error_and_cancellation_of_the_work_are_passed_on() -> None:
    with pytest.raises(KeyError):
        async with deadline(60):
            raise KeyError
    started = asyncio.Event()

    async def work() -> None:
        async with deadline(60):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
