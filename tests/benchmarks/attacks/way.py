"""One way in: what an attacker does again and again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.benchmarks.attacks.client import Client
from tests.benchmarks.attacks.scene import Scene

Act = Callable[[int], Awaitable[None]]
"""Does it once; raises `Refused`. The number counts the acts."""

Prepare = Callable[[Client, Scene], Awaitable[Act]]
"""Opens what the attack needs, such as pages, before anything is measured."""


@dataclass(frozen=True, slots=True)
class Way:
    """`allowed` names the settings that limit one visitor in it; the way is then tried within them
    as well.

    `covers` are the events of pages and the routes of the API that it floods. What is `held` stays
    open until the end, at most so often. `round` is how often it is done to see whether memory
    stays level, which whoever needs no visitor must not be able to change.
    """

    name: str
    prepare: Prepare
    covers: tuple[tuple[str, str], ...] = ()
    allowed: tuple[str, ...] = ()
    held: int = 0
    round: int = 0
