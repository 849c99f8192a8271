"""How often what may be done, and by whom; the same for screens and programs.

Each limit is a bucket for everybody it knows, which refills steadily (the generic cell rate
algorithm): one moment is kept for each, and it says in how long there will be room again. Who they
are is kept as a keyed hash, under a salt that is thrown away each day and never leaves memory.
"""

import hashlib
import ipaddress
import math
import secrets
from datetime import datetime, timedelta

from .clock import Clock
from .errors import N_, TooOften
from .rates import Rate
from .settings import Settings

_KEPT_MOST = 100_000
_SALT_LIFE = timedelta(days=1)


class Limits:
    """All limits on how often something may be done."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.posts = Limit(settings.posts_per_visitor, clock)
        """Posts of a visitor."""
        self.posts_in_room = Limit(settings.posts_per_room, clock)
        """Posts in a room."""
        self.deletions = Limit(settings.deletions_per_visitor, clock)
        """Messages that a visitor deletes."""
        self.joins = Limit(settings.joins_per_visitor, clock)
        """Rooms that a visitor joins."""
        self.rooms = Limit(settings.new_rooms_per_visitor, clock)
        """Rooms that a visitor makes."""
        self.arrivals = Limit(settings.arrivals_per_address, clock)
        """Attempts to come in from an address."""
        self.events = Limit(settings.events_per_screen, clock)
        """What a page sends over its socket."""
        self.pages = Limit(settings.pages_per_address, clock)
        """Pages that are asked for from an address, those that are not there too."""
        self.calls = Limit(settings.calls_per_address, clock)
        """Calls of the API from an address."""

    def count_refused(self) -> dict[str, int]:
        """Return how often each limit has held somebody back."""
        return {name: limit.refused for name, limit in vars(self).items()}


class Limit:
    """How often one thing may be done."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._salt = secrets.token_bytes(16)
        self._salted_at = clock()
        self.refused = 0
        self._full: dict[bytes, datetime] = {}  # when the bucket of each will be full again

    def spend(self, who: str) -> None:
        """Note that it is done once more; raise `TooOften`, and note nothing, if that is too often.

        >>> limit = Limit(Rate(1, timedelta(seconds=10)), SteadyClock())
        >>> limit.spend("visitor")
        >>> limit.spend("visitor")
        Traceback (most recent call last):
        ...
        anonchat.errors.TooOften: That was too often. Please try again in 10 s.
        """
        if not self._rate.times:
            return
        now, key = self._clock(), self._blur(who)
        full = max(now, self._full.get(key, now)) + self._rate.span / self._rate.times
        if full - now > self._rate.span:
            self.refused += 1
            raise _refusal(full - now - self._rate.span)
        self._full[key] = full
        if len(self._full) > _KEPT_MOST:
            self._tidy()

    def _blur(self, who: str) -> bytes:
        """Return what stands for somebody today; nobody can tell from it who it is."""
        if self._clock() - self._salted_at > _SALT_LIFE:
            self._salt, self._salted_at = secrets.token_bytes(16), self._clock()
            self._full.clear()
        return hashlib.blake2s(who.encode(), key=self._salt, digest_size=12).digest()

    def _tidy(self) -> None:
        """Let go of the half that has spent least: who is held back stays held back."""
        soonest_last = sorted(self._full.items(), key=lambda each: each[1], reverse=True)
        self._full = dict(soonest_last[: _KEPT_MOST // 2])


def neighbourhood(address: str) -> str:
    """Return what one household shares of an address: all of IPv4, the first half of IPv6.

    >>> neighbourhood("2001:db8::1") == neighbourhood("2001:db8::2")
    True
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _refusal(wait: timedelta) -> TooOften:
    seconds = max(1, math.ceil(wait.total_seconds()))
    return TooOften(N_("That was too often. Please try again in {seconds} s."), seconds=seconds)
