"""Solves the challenges that sites pose, as browsers and programs do."""

import hashlib
from itertools import count


def solve(challenge: str, bits: int) -> str:
    """Return the solution: the challenge, and a number that gives so many zero bits."""
    most = 1 << (256 - bits)
    for number in count():
        solution = f"{challenge}:{number}"
        if int.from_bytes(hashlib.sha256(solution.encode()).digest()) < most:
            return solution
    raise AssertionError("unreachable")
