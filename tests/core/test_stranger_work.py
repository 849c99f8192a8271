"""What strangers of a client network may use: apart from its visitors, and never before them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, TooOften
from tests.fakes import FakeClock, running_chat

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def chat(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    rates = {"work_per_visitor": "100/1h", "work_per_network": "300/1h"}
    async with running_chat(tmp_path / "data", clock, **rates) as chat:
        yield chat


async def test_strangers_of_a_network_share_what_one_visitor_may_use(chat: Chat) -> None:
    for _ in range(10):
        await chat.strangers.spend(10, address=HERE)
    with pytest.raises(TooOften):
        await chat.strangers.spend(10, address=HERE)
    await chat.strangers.spend(10, address=ELSEWHERE)


async def test_strangers_do_not_use_up_what_visitors_of_their_network_may(chat: Chat) -> None:
    for spend in (chat.strangers.spend, chat.strangers.spend_on_asset):
        with pytest.raises(TooOften):
            while True:
                await spend(10, address=HERE)
    async with asyncio.timeout(60):
        for number in range(30):
            await chat.work.spend(10, visitor_id=f"visitor {number}", address=HERE)


async def test_strangers_wait_while_visitors_of_their_network_use_all(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.stranger_work._LONGEST_WAIT", timedelta())
    for number in range(30):
        await chat.work.spend(10, visitor_id=f"visitor {number}", address=HERE)
    with pytest.raises(TooOften):
        await chat.strangers.spend(1, address=HERE)
    clock.move(timedelta(minutes=10))
    await chat.strangers.spend(1, address=HERE)


async def test_who_has_solved_a_challenge_is_counted_apart(chat: Chat) -> None:
    await chat.strangers.spend(100, address=HERE)
    for number in range(30):
        await chat.work.spend(10, visitor_id=f"visitor {number}", address=HERE)
    await chat.strangers.spend_after_challenge(100, address=HERE)
    with pytest.raises(TooOften):
        await chat.strangers.spend_after_challenge(10, address=HERE)


async def test_challenge_becomes_harder_the_more_newcomers_use_and_easier_again(
    chat: Chat, clock: FakeClock
) -> None:
    assert chat.strangers.challenge_bits(HERE) == 18
    await chat.strangers.spend_after_challenge(50, address=HERE)
    assert chat.strangers.challenge_bits(HERE) == 19
    await chat.strangers.spend_after_challenge(50, address=HERE)
    assert chat.strangers.challenge_bits(HERE) == 20
    assert chat.strangers.challenge_bits(ELSEWHERE) == 18
    clock.move(timedelta(hours=1))
    assert chat.strangers.challenge_bits(HERE) == 18


async def test_small_answers_are_slowed_down_and_never_refused(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.stranger_work._PACED_MOST", 3)
    for _ in range(100):
        await chat.strangers.pace(HERE)
    waiting = [asyncio.create_task(chat.strangers.pace(HERE)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await chat.strangers.pace(HERE)  # at once, for there is no room to wait
    await asyncio.wait(waiting)


async def test_network_of_ipv6_is_a_64_within_its_48(chat: Chat) -> None:
    for number in range(4):
        await chat.strangers.spend(100, address=f"2001:db8:0:{number}::1")
    with pytest.raises(TooOften):
        await chat.strangers.spend(10, address="2001:db8:0:5::1")
    await chat.strangers.spend(10, address="2001:db8:1::1")
