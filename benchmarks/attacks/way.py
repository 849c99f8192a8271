"""The type of an attack: an act that is repeated."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.attacks.client import Client
from benchmarks.attacks.scene import Scene

Act = Callable[[int], Awaitable[None]]
"""Acts once; raises `Refused`. The number counts the acts."""

Prepare = Callable[[Client, Scene], Awaitable[Act]]
"""Opens what the attack needs, such as pages, before the measurement."""


@dataclass(frozen=True, slots=True)
class Way:
    """`allowed` names the settings that limit one visitor; the attack also runs within them.

    `covers` are the page events and API routes that it floods. `held` is the maximum number of
    connections that it keeps open until the end, or 0. `round` is the number of acts per round of
    the memory measurement, for attacks that need no visitor.
    """

    name: str
    prepare: Prepare
    covers: tuple[tuple[str, str], ...] = ()
    allowed: tuple[str, ...] = ()
    held: int = 0
    round: int = 0
