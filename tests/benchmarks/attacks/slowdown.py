"""How much later others' posts come while one way in is flooded."""

from dataclasses import dataclass, replace
from itertools import count

from tests.benchmarks.attacks.attacker import Attacker, Tally
from tests.benchmarks.attacks.conversation import Conversation, Stretch, median
from tests.benchmarks.attacks.scene import Scene
from tests.benchmarks.attacks.way import Way
from tests.benchmarks.server import Server

MOST = 1.5
"""How many times as long others' posts may take at the median."""

_CALM_SECONDS = 3.0
_LONGEST_RECOVERY = 15.0
_CALM_STRETCHES = 4
_PAGES_OF_A_VISITOR = 6


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of an attack: at first what is free at once goes through; then it is measured.

    After `most` seconds in all, no other attack begins.
    """

    burst: float
    attack: float
    after: float
    most: float


@dataclass(frozen=True, slots=True)
class Row:
    """What was found of one way; `calm` is the median of the stretches beside it."""

    way: Way
    within_limits: bool
    calm: float
    calm_p99: float
    burst: Stretch
    during: Stretch
    after: Stretch
    tally: Tally
    recovery: float
    memory: int

    @property
    def times(self) -> float:
        """How many times as long posts took at the median."""
        return self.during.p50 / self.calm

    @property
    def is_met(self) -> bool:
        """Whether the others were spared."""
        return bool(self.during.posted) and self.times <= MOST and not self.during.missing


class Slowdown:
    """Floods one way in after the other while people talk, with calm stretches in between.

    Each flood comes from another address, so that what one was refused does not spare the next.
    """

    def __init__(
        self, server: Server, conversation: Conversation, scene: Scene, lengths: Lengths
    ) -> None:
        self._server = server
        self._conversation = conversation
        self._scene = scene
        self._lengths = lengths
        self._calm: list[Stretch] = []
        self._addresses = count(2)

    async def measure(self, attacker: Attacker, way: Way, *, within_limits: bool) -> Row:
        """Flood one way in: by one address, or by one visitor within the limits.

        Raises `RuntimeError` if it cannot be attacked.
        """
        if not self._calm:
            self._calm.append(await (await self._conversation.listen(_CALM_SECONDS))())
        usual = self._median_of_calm()
        scene = replace(self._scene, address=f"127.0.{next(self._addresses)}.1")
        if within_limits:
            scene = scene.for_one_visitor(pages=_PAGES_OF_A_VISITOR)
        await attacker.prepare(way.name, scene, within_limits=within_limits)
        await self._settle(usual)
        memory = self._server.memory()
        await attacker.begin()
        burst = await self._conversation.listen(self._lengths.burst)
        during = await self._conversation.listen(self._lengths.attack)
        tally = await attacker.end()
        after = await (await self._conversation.listen(self._lengths.after))()
        recovery = 0.0
        if after.p50 > MOST * usual:
            recovery = self._lengths.after + await self._settle(usual)
        else:
            self._calm = [*self._calm, after][-_CALM_STRETCHES:]
        return Row(
            way,
            within_limits,
            calm=self._median_of_calm(),
            calm_p99=median([stretch.p99 for stretch in self._calm]),
            burst=await burst(),
            during=await during(),
            after=after,
            tally=tally,
            recovery=recovery,
            memory=self._server.memory() - memory,
        )

    def _median_of_calm(self) -> float:
        return median([stretch.p50 for stretch in self._calm])

    async def _settle(self, usual: float) -> float:
        return await self._conversation.settle(below=MOST * usual, longest=_LONGEST_RECOVERY)
