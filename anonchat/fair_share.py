"""How much of a bounded resource one party may take, so that a few parties cannot take it all."""

import math

_STEEPNESS = 1.25


def fair_share(bound: float, free: float) -> float:
    """Return how many of `bound` units one party may hold while `free` of them are free.

    The share falls with the square of the part that is free. One party alone can take about two
    fifths; of parties that come one after the other, each leaves most of what it found, so that k
    of them leave a part in the order of 1/k. (A share that is proportional to what is free would
    be halved by each of them.) It is never zero while anything is free.

    >>> [round(fair_share(500, free)) for free in (500, 300, 100, 10, 0)]
    [625, 225, 25, 0, 0]
    """
    return bound * _STEEPNESS * max(0.0, free / bound) ** 2


def free_needed(bound: float, held: float) -> float:
    """Return how much of `bound` has to be free before one who holds `held` may take more.

    >>> [round(free_needed(500, held)) for held in (0, 25, 225)]
    [0, 100, 300]
    """
    return bound * min(1.0, math.sqrt(held / bound / _STEEPNESS))
