"""Fair share of a bounded resource: limits each party so that a few cannot take all of it."""

import math

_STEEPNESS = 1.25


def fair_share(bound: float, free: float) -> float:
    """Return how many of `bound` units one party may hold while `free` units are free.

    The share falls with the square of the free fraction. A single party can take about two fifths;
    each of several consecutive parties leaves most of what was free, so that k parties leave a
    fraction of about 1/k. (A share proportional to the free units would be halved by each of them.)
    It is never zero while any unit is free.

    >>> [round(fair_share(500, free)) for free in (500, 300, 100, 10, 0)]
    [625, 225, 25, 0, 0]
    """
    return bound * _STEEPNESS * max(0.0, free / bound) ** 2


def free_needed(bound: float, held: float) -> float:
    """Return how many of `bound` units must be free before a party that holds `held` may take more.

    >>> [round(free_needed(500, held)) for held in (0, 25, 225)]
    [0, 100, 300]
    """
    return bound * min(1.0, math.sqrt(held / bound / _STEEPNESS))
