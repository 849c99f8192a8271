"""Measures how much an attack delays the posts of others."""

from dataclasses import dataclass, replace
from itertools import count

from benchmarks.attacks.attacker import AttackCounts, Attacker
from benchmarks.attacks.conversation import BackgroundConversation, IntervalResult, median
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Way
from tools.servers.process import ManagedProcess

MAX_SLOWDOWN = 1.5
"""The limit for the median latency of others' posts, as a multiple of calm."""

_CALM_SECONDS = 3.0
_MAX_RECOVERY_SECONDS = 15.0
_CALM_INTERVALS = 4
_PAGES_PER_VISITOR = 6


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds of an attack: `burst`, in which the rate limits allow a burst, `attack` and `after`.

    After `total` seconds no further attack begins.
    """

    burst: float
    attack: float
    after: float
    total: float


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one attack; `calm` is the median latency of the calm intervals around it."""

    way: Way
    within_limits: bool
    calm: float
    calm_p99: float
    burst: IntervalResult
    during: IntervalResult
    after: IntervalResult
    counts: AttackCounts
    recovery: float
    memory: int

    @property
    def times(self) -> float:
        """The median latency during the attack as a multiple of calm."""
        return self.during.p50 / self.calm

    @property
    def is_met(self) -> bool:
        """Whether the posts of others met the goal."""
        return bool(self.during.posted) and self.times <= MAX_SLOWDOWN and not self.during.missing


class Slowdown:
    """Runs attacks one after the other during a conversation, with calm intervals in between.

    Each attack has its own address, so that the limits used by one do not weaken the next.
    """

    def __init__(
        self,
        server: ManagedProcess,
        conversation: BackgroundConversation,
        scene: Scene,
        durations: Durations,
    ) -> None:
        self._server = server
        self._conversation = conversation
        self._scene = scene
        self._durations = durations
        self._calm: list[IntervalResult] = []
        self._addresses = count(2)

    async def measure(self, attacker: Attacker, way: Way, *, within_limits: bool) -> Row:
        """Run one attack: by one address, or by one visitor within the limits.

        Raises `RuntimeError` if the attack fails.
        """
        if not self._calm:
            self._calm.append(await (await self._conversation.measure(_CALM_SECONDS))())
        usual = self._median_of_calm()
        scene = replace(self._scene, address=f"127.0.{next(self._addresses)}.1")
        if within_limits:
            scene = scene.for_one_visitor(pages=_PAGES_PER_VISITOR)
        await attacker.prepare(way.name, scene, within_limits=within_limits)
        await self._settle(usual)
        memory = self._server.resident_bytes()
        await attacker.begin()
        burst = await self._conversation.measure(self._durations.burst)
        during = await self._conversation.measure(self._durations.attack)
        counts = await attacker.end()
        after = await (await self._conversation.measure(self._durations.after))()
        recovery = 0.0
        if after.p50 > MAX_SLOWDOWN * usual:
            recovery = self._durations.after + await self._settle(usual)
        else:
            self._calm = [*self._calm, after][-_CALM_INTERVALS:]
        return Row(
            way,
            within_limits,
            calm=self._median_of_calm(),
            calm_p99=median([result.p99 for result in self._calm]),
            burst=await burst(),
            during=await during(),
            after=after,
            counts=counts,
            recovery=recovery,
            memory=self._server.resident_bytes() - memory,
        )

    def _median_of_calm(self) -> float:
        return median([result.p50 for result in self._calm])

    async def _settle(self, usual: float) -> float:
        return await self._conversation.settle(
            below=MAX_SLOWDOWN * usual, longest=_MAX_RECOVERY_SECONDS
        )
