"""Proof of work: each challenge is solved by work only, once, and before its deadline."""

import hashlib
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import Bus, ChallengeUnsolved, NicknameTaken, ProofOfWork
from anonchat.crypto import Hasher
from tests.challenge import solve as find_solution
from tests.fakes import FakeClock, running_chat

BITS = 6


def make_proof_of_work(
    clock: FakeClock, *, secret: str = "a secret for tests", bits: int = BITS
) -> ProofOfWork:
    return ProofOfWork(bits, clock=clock, bus=Bus(), hasher=Hasher(secret.encode))


def redeem(proof_of_work: ProofOfWork, solution: str) -> None:
    """Redeem a solution for an action that succeeds."""
    with proof_of_work.redeem(solution):
        pass


def solve(challenge: str, *, bits: int = BITS) -> str:
    """Return a solution of the challenge."""
    return find_solution(challenge, bits)


def test_solution_is_accepted_once(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock)
    solution = solve(proof_of_work.new_challenge())
    redeem(proof_of_work, solution)
    with pytest.raises(ChallengeUnsolved):
        redeem(proof_of_work, solution)


def test_second_solution_of_a_used_challenge_is_refused(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock)
    challenge = proof_of_work.new_challenge()
    redeem(proof_of_work, solve(challenge))
    second = next(
        f"{challenge}:{number}"
        for number in count(1_000)
        if hashlib.sha256(f"{challenge}:{number}".encode()).digest()[0] < 4
    )
    with pytest.raises(ChallengeUnsolved):
        redeem(proof_of_work, second)


def test_solution_without_enough_work_is_refused(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock, bits=26)
    with pytest.raises(ChallengeUnsolved):
        redeem(proof_of_work, f"{proof_of_work.new_challenge()}:1")


def test_challenge_expires_after_10_minutes(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock)
    first, second = solve(proof_of_work.new_challenge()), solve(proof_of_work.new_challenge())
    clock.advance(timedelta(minutes=10))
    redeem(proof_of_work, first)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(ChallengeUnsolved):
        redeem(proof_of_work, second)


def test_forged_challenge_is_refused(clock: FakeClock) -> None:
    proof_of_work, other = (
        make_proof_of_work(clock),
        make_proof_of_work(clock, secret="another secret for tests"),
    )
    with pytest.raises(ChallengeUnsolved):
        redeem(proof_of_work, solve(other.new_challenge()))
    _, rest = proof_of_work.new_challenge().split(".", 1)
    with pytest.raises(ChallengeUnsolved):
        redeem(proof_of_work, solve(f"9999999999.{rest}"))


@given(st.text() | st.just("1.2.3:4") | st.just("٣.1.1:1"))
def test_malformed_solution_is_refused_with_the_required_bits(text: str) -> None:
    with pytest.raises(ChallengeUnsolved) as caught:
        redeem(make_proof_of_work(FakeClock()), text)
    assert caught.value.details["bits"] == BITS


def test_challenge_with_more_bits_needs_more_work(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock)
    challenge = proof_of_work.new_challenge(BITS + 6)
    easy = next(
        solution
        for number in count()
        if 2**242 <= _read_hash(solution := f"{challenge}:{number}") < 2**250
    )
    with pytest.raises(ChallengeUnsolved) as caught, proof_of_work.redeem(easy, bits=BITS + 6):
        pass
    assert caught.value.details["bits"] == BITS + 6
    with proof_of_work.redeem(solve(challenge, bits=BITS + 6), bits=BITS + 6):
        pass


def test_challenge_is_accepted_up_to_2_bits_below_the_current_bits(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock)
    with proof_of_work.redeem(solve(proof_of_work.new_challenge(8), bits=8), bits=10):
        pass
    with (
        pytest.raises(ChallengeUnsolved),
        proof_of_work.redeem(solve(proof_of_work.new_challenge(8), bits=8), bits=11),
    ):
        pass


def test_challenge_cannot_be_made_easier(clock: FakeClock) -> None:
    proof_of_work = make_proof_of_work(clock)
    deadline, _, rest = proof_of_work.new_challenge(20).split(".", 2)
    with (
        pytest.raises(ChallengeUnsolved),
        proof_of_work.redeem(solve(f"{deadline}.6.{rest}"), bits=8),
    ):
        pass


def test_zero_bits_require_no_solution(clock: FakeClock) -> None:
    redeem(make_proof_of_work(clock, bits=0), "")


async def test_sign_in_requires_a_solution(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, pow_bits=BITS) as chat:
        with pytest.raises(ChallengeUnsolved) as caught:
            await chat.identity.sign_in("Ann")
        solution = solve(str(caught.value.details["challenge"]))
        visitor, _ = await chat.identity.sign_in("Ann", solution=solution)
        assert visitor.nickname == "Ann"


async def test_solution_can_be_reused_if_the_nickname_was_taken(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, pow_bits=BITS) as chat:
        await chat.identity.sign_in("Ann", solution=solve(chat.proof_of_work.new_challenge()))
        solution = solve(chat.proof_of_work.new_challenge())
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in("Ann", solution=solution)
        visitor, _ = await chat.identity.sign_in("Bob", solution=solution)
        assert visitor.nickname == "Bob"


def _read_hash(solution: str) -> int:
    return int.from_bytes(hashlib.sha256(solution.encode()).digest())
