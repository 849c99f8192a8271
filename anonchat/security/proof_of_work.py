"""Proof of work: a single request costs the client little, a flood costs it much.

The client has to find a number that, appended to the challenge, gives a hash with a required count
of leading zero bits. It needs no user interaction and no third party.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from ..bus import Bus
from ..crypto import Hasher
from ..errors import N_, ChallengeUnsolved, ChatError
from ..events import ChallengeRedeemed, Event
from ..runtime.bounded_dict import BoundedDict
from ..runtime.clock import Clock

_LIFETIME = timedelta(minutes=10)
_REDEEMED_MAX = 100_000
_SOLUTION_CHARACTERS = 200
_PARTS = 3
_BITS_TOLERANCE = 2  # the required bits may have risen since the challenge was issued


class RedeemedSolution:
    """A valid solution, redeemed for one request."""

    def __init__(self, publish: Callable[[], None]) -> None:
        self._publish = publish
        self.is_consumed = False

    def consume(self) -> None:
        """Invalidate the solution, whether or not the request succeeds."""
        if not self.is_consumed:
            self.is_consumed = True
            self._publish()


class ProofOfWork:
    """Issues challenges and checks solutions; a challenge is valid once, for ten minutes.

    `bits` is the default difficulty; each bit doubles the work, and 0 requires no solution. A
    challenge contains its own difficulty.
    """

    def __init__(self, bits: int, *, clock: Clock, bus: Bus, hasher: Hasher) -> None:
        self.bits = bits
        self._clock = clock
        self._bus = bus
        self._hasher = hasher
        self._redeemed: BoundedDict[str, None] = BoundedDict(_REDEEMED_MAX)
        bus.subscribe(self._on_event)

    def new_challenge(self, bits: int = 0) -> str:
        """Return a new challenge of `bits` bits; it is stateless until it is redeemed."""
        expires_at = int((self._clock() + _LIFETIME).timestamp())
        return self._sign(f"{expires_at}.{bits or self.bits}.{secrets.token_hex(12)}")

    @contextmanager
    def redeem(self, solution: str, *, bits: int = 0) -> Iterator[RedeemedSolution]:
        """Redeem a solution for the request that runs in the block.

        If the block raises a `ChatError` before it uses the solution up, the solution stays valid.
        Raises `ChallengeUnsolved` unless `solution` is a challenge issued by this site, a colon
        and its number. `bits` is the required difficulty if it exceeds the default; challenges up
        to two bits easier are accepted.
        """
        bits = max(bits, self.bits)
        if not bits:
            yield RedeemedSolution(lambda: None)
            return
        challenge = self._redeem(solution, bits)
        taken = RedeemedSolution(lambda: self._bus.publish_remote(ChallengeRedeemed(challenge)))
        try:
            yield taken
        except ChatError:
            if not taken.is_consumed:
                self._redeemed.pop(challenge, None)
            raise
        except BaseException:
            taken.consume()
            raise
        taken.consume()

    def _redeem(self, solution: str, bits: int) -> str:
        challenge = self._verify(solution, bits)
        if challenge is None or challenge in self._redeemed:
            raise ChallengeUnsolved(
                N_("Your browser has to work a moment first. Please try once more."),
                challenge=self.new_challenge(bits),
                bits=bits,
            )
        self._redeemed[challenge] = None
        return challenge

    async def _on_event(self, event: Event) -> None:
        match event:
            case ChallengeRedeemed(challenge):
                self._redeemed[challenge] = None

    def _verify(self, solution: str, bits: int) -> str | None:
        """Return the challenge, or `None` if the solution is wrong, expired or too easy."""
        if len(solution) > _SOLUTION_CHARACTERS or not solution.isascii():
            return None
        challenge, _, _ = solution.partition(":")
        payload, _, _ = challenge.rpartition(".")
        if not secrets.compare_digest(self._sign(payload), challenge):
            return None
        parts = payload.split(".")
        if len(parts) != _PARTS:  # issued by an earlier release
            return None
        expires_at, issued_bits, _ = parts
        zeros = 256 - int.from_bytes(hashlib.sha256(solution.encode()).digest()).bit_length()
        is_expired = self._clock().timestamp() > int(expires_at)
        is_too_easy = int(issued_bits) < max(self.bits, bits - _BITS_TOLERANCE)
        return None if is_expired or is_too_easy or zeros < int(issued_bits) else challenge

    def _sign(self, payload: str) -> str:
        return f"{payload}.{self._hasher.hash('puzzle', payload)[:16].hex()}"
