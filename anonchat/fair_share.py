"""How much of a bounded resource one party may take, so that a few parties cannot take it all."""

import math

GUARANTEED = 1 / 8
"""The part of a bound that one party may take for as long as so much of it is free."""
_STEEPNESS = 1.25


def fair_share(bound: float, free: float) -> float:
    """Return how many of `bound` units one party may hold while `free` of them are free.

    The share falls with the square of the part that is free. One party alone can take about two
    fifths; of parties that come one after the other, each leaves most of what it found, so that k
    of them leave a part in the order of 1/k. (A share that is proportional to what is free would
    be halved by each of them.) It is never zero while anything is free.

    >>> [round(fair_share(500, free)) for free in (500, 300, 150, 63, 62, 10, 0)]
    [625, 225, 62, 62, 10, 0, 0]
    """
    part = max(0.0, free / bound)
    share = _STEEPNESS * part**2
    return bound * (max(share, GUARANTEED) if part >= GUARANTEED else share)


def free_needed(bound: float, held: float) -> float:
    """Return how much of `bound` has to be free before one who holds `held` may take more.

    >>> [round(free_needed(500, held)) for held in (0, 10, 60, 200)]
    [0, 62, 62, 283]
    """
    part = math.sqrt(held / bound / _STEEPNESS)
    return bound * min(1.0, part, GUARANTEED if held < bound * GUARANTEED else 1.0)
