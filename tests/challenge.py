"""Solves proof-of-work challenges, as browsers and API clients do."""

import hashlib
from itertools import count


def solve(challenge: str, bits: int) -> str:
    """Return the challenge with a number whose SHA-256 hash begins with `bits` zero bits."""
    bound = 1 << (256 - bits)
    for number in count():
        solution = f"{challenge}:{number}"
        if int.from_bytes(hashlib.sha256(solution.encode()).digest()) < bound:
            return solution
    raise AssertionError("unreachable")
