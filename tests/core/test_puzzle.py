"""The puzzle that a flooded site poses: solved by work alone, once, and in time."""

import hashlib
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import MemoryBus, NicknameTaken, Puzzle, PuzzleUnsolved
from anonchat.seal import Hasher
from tests.challenge import solve as find_solution
from tests.fakes import FakeClock, running_chat

BITS = 6


def make_puzzle(
    clock: FakeClock, *, secret: str = "a secret for tests", bits: int = BITS
) -> Puzzle:
    return Puzzle(bits, clock=clock, bus=MemoryBus(), hasher=Hasher(secret.encode))


def spend(puzzle: Puzzle, solution: str) -> None:
    """Do with a solution what cannot go wrong."""
    with puzzle.spending(solution):
        pass


def solve(challenge: str, *, bits: int = BITS) -> str:
    """Do the work."""
    return find_solution(challenge, bits)


def test_a_solution_opens_once(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock)
    solution = solve(puzzle.pose())
    spend(puzzle, solution)
    with pytest.raises(PuzzleUnsolved):
        spend(puzzle, solution)


def test_another_number_for_a_challenge_that_was_used_opens_nothing(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock)
    challenge = puzzle.pose()
    spend(puzzle, solve(challenge))
    again = next(
        f"{challenge}:{number}"
        for number in count(1_000)
        if hashlib.sha256(f"{challenge}:{number}".encode()).digest()[0] < 4
    )
    with pytest.raises(PuzzleUnsolved):
        spend(puzzle, again)


def test_without_the_work_nothing_opens(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock, bits=26)
    with pytest.raises(PuzzleUnsolved):
        spend(puzzle, f"{puzzle.pose()}:1")


def test_a_challenge_is_good_for_ten_minutes(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock)
    first, second = solve(puzzle.pose()), solve(puzzle.pose())
    clock.move(timedelta(minutes=10))
    spend(puzzle, first)
    clock.move(timedelta(seconds=1))
    with pytest.raises(PuzzleUnsolved):
        spend(puzzle, second)


def test_nobody_can_pose_a_challenge_to_themselves(clock: FakeClock) -> None:
    puzzle, other = make_puzzle(clock), make_puzzle(clock, secret="a secret of somebody else")
    with pytest.raises(PuzzleUnsolved):
        spend(puzzle, solve(other.pose()))
    _, rest = puzzle.pose().split(".", 1)
    with pytest.raises(PuzzleUnsolved):
        spend(puzzle, solve(f"9999999999.{rest}"))


@given(st.text() | st.just("1.2.3:4") | st.just("٣.1.1:1"))
def test_what_is_no_solution_is_refused_and_told_what_to_solve(text: str) -> None:
    with pytest.raises(PuzzleUnsolved) as caught:
        spend(make_puzzle(FakeClock()), text)
    assert caught.value.details["bits"] == BITS


def test_challenge_of_more_bits_needs_as_much_work(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock)
    challenge = puzzle.pose(BITS + 6)
    easy = next(
        solution
        for number in count()
        if 2**242 <= _read_hash(solution := f"{challenge}:{number}") < 2**250
    )
    with pytest.raises(PuzzleUnsolved) as caught, puzzle.spending(easy, bits=BITS + 6):
        pass
    assert caught.value.details["bits"] == BITS + 6
    with puzzle.spending(solve(challenge, bits=BITS + 6), bits=BITS + 6):
        pass


def test_challenge_is_good_although_more_bits_are_asked_for_by_now(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock)
    with puzzle.spending(solve(puzzle.pose(8), bits=8), bits=10):
        pass
    with pytest.raises(PuzzleUnsolved), puzzle.spending(solve(puzzle.pose(8), bits=8), bits=11):
        pass


def test_challenge_cannot_be_made_easier(clock: FakeClock) -> None:
    puzzle = make_puzzle(clock)
    until, _, rest = puzzle.pose(20).split(".", 2)
    with pytest.raises(PuzzleUnsolved), puzzle.spending(solve(f"{until}.6.{rest}"), bits=8):
        pass


def test_a_site_that_is_not_flooded_asks_nothing(clock: FakeClock) -> None:
    spend(make_puzzle(clock, bits=0), "")


async def test_coming_in_takes_a_solution(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, puzzle_bits=BITS) as chat:
        with pytest.raises(PuzzleUnsolved) as caught:
            await chat.identity.come_in("Ann")
        solution = solve(str(caught.value.details["challenge"]))
        visitor, _ = await chat.identity.come_in("Ann", solution=solution)
        assert visitor.nickname == "Ann"


async def test_a_solution_is_good_for_another_nickname_if_the_first_was_taken(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, puzzle_bits=BITS) as chat:
        await chat.identity.come_in("Ann", solution=solve(chat.puzzle.pose()))
        solution = solve(chat.puzzle.pose())
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in("Ann", solution=solution)
        visitor, _ = await chat.identity.come_in("Bob", solution=solution)
        assert visitor.nickname == "Bob"


def _read_hash(solution: str) -> int:
    return int.from_bytes(hashlib.sha256(solution.encode()).digest())
