"""A puzzle for browsers and programs while somebody floods the site: dear for many, cheap for one.

Whoever comes in has to find a number that, behind the challenge, gives a hash with so many zero
bits in front. Nobody has to look at anything, and no third party is asked.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from .bus import Bus
from .clock import Clock
from .errors import N_, ChatError, PuzzleUnsolved
from .events import Event, PuzzleSolved
from .seal import Hasher

_LIFE = timedelta(minutes=10)
_SOLVED_MOST = 100_000
_SOLUTION_CHARACTERS = 200
_PARTS = 3
_EASIER_BITS = 2  # than asked for now: it may have been less when the challenge was posed


class TakenSolution:
    """A solution that pays for what is done now."""

    def __init__(self, announce: Callable[[], None]) -> None:
        self._announce = announce
        self.is_used_up = False

    def use_up(self) -> None:
        """Make it worthless from now on, whatever comes of what it pays for."""
        if not self.is_used_up:
            self.is_used_up = True
            self._announce()


class Puzzle:
    """Poses challenges and checks solutions; a challenge is good once, and for ten minutes.

    `bits` is how hard it is unless something else is asked for: each one more doubles the work.
    With 0 there is nothing to solve. A challenge says itself how hard it is.
    """

    def __init__(self, bits: int, *, clock: Clock, bus: Bus, hasher: Hasher) -> None:
        self.bits = bits
        self._clock = clock
        self._bus = bus
        self._hasher = hasher
        self._solved: dict[str, None] = {}  # the oldest first
        bus.subscribe(self._on_event)

    def pose(self, bits: int = 0) -> str:
        """Return a new challenge of so many bits; nothing is kept of it until it is solved."""
        until = int((self._clock() + _LIFE).timestamp())
        return self._sign(f"{until}.{bits or self.bits}.{secrets.token_hex(12)}")

    @contextmanager
    def spending(self, solution: str, *, bits: int = 0) -> Iterator[TakenSolution]:
        """Take a solution for what is done in the block.

        If the block is refused with a `ChatError` before it has used the solution up, that is good
        for another try. Raises `PuzzleUnsolved` unless it is a challenge of ours, a colon, and its
        number. `bits` is how hard the challenge has to be, about, if that is more than usual.
        """
        bits = max(bits, self.bits)
        if not bits:
            yield TakenSolution(lambda: None)
            return
        challenge = self._take(solution, bits)
        taken = TakenSolution(lambda: self._bus.send(PuzzleSolved(challenge)))
        try:
            yield taken
        except ChatError:
            if not taken.is_used_up:
                self._solved.pop(challenge, None)
            raise
        except BaseException:
            taken.use_up()
            raise
        taken.use_up()

    def _take(self, solution: str, bits: int) -> str:
        challenge = self._read(solution, bits)
        if challenge is None or challenge in self._solved:
            raise PuzzleUnsolved(
                N_("Your browser has to work a moment first. Please try once more."),
                challenge=self.pose(bits),
                bits=bits,
            )
        self._note(challenge)
        return challenge

    def _note(self, challenge: str) -> None:
        self._solved[challenge] = None
        if len(self._solved) > _SOLVED_MOST:
            del self._solved[next(iter(self._solved))]

    async def _on_event(self, event: Event) -> None:
        match event:
            case PuzzleSolved(challenge):
                self._note(challenge)

    def _read(self, solution: str, bits: int) -> str | None:
        """Return the challenge that is solved, if it is, and is about as hard as that."""
        if len(solution) > _SOLUTION_CHARACTERS or not solution.isascii():
            return None
        challenge, _, _ = solution.partition(":")
        bare, _, _ = challenge.rpartition(".")
        if not secrets.compare_digest(self._sign(bare), challenge):
            return None
        parts = bare.split(".")
        if len(parts) != _PARTS:  # an earlier release has posed it
            return None
        until, posed_bits, _ = parts
        zeros = 256 - int.from_bytes(hashlib.sha256(solution.encode()).digest()).bit_length()
        is_late = self._clock().timestamp() > int(until)
        is_easy = int(posed_bits) < max(self.bits, bits - _EASIER_BITS)
        return None if is_late or is_easy or zeros < int(posed_bits) else challenge

    def _sign(self, bare: str) -> str:
        return f"{bare}.{self._hasher.hash('puzzle', bare)[:16].hex()}"
