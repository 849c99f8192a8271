"""How often what may be done, and by whom; the same for screens and programs.

Each limit is a bucket for everybody it knows, which refills steadily (the generic cell rate
algorithm): one moment is kept for each, and it says in how long there will be room again. Who they
are is kept as a keyed hash under a salt of the day, in memory alone.

Each node counts by itself, at once, and tells the others a few times a second what was spent.
"""

import hashlib
import ipaddress
import math
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import cache, partial

from .bus import Bus
from .clock import Clock
from .errors import N_, TooOften
from .events import Event, LimitsSpent
from .rates import Rate
from .seal import Hasher
from .settings import Settings

_KEPT_MOST = 100_000
_TOLD_MOST = 20_000


class Limits:
    """All limits on how often something may be done."""

    def __init__(self, settings: Settings, *, clock: Clock, bus: Bus, hasher: Hasher) -> None:
        def limit(rate: Rate) -> Limit:
            return Limit(rate, clock, lambda day: hasher.hash("salt", str(day)))

        self.posts = limit(settings.posts_per_visitor)
        """Posts of a visitor."""
        self.posts_in_room = limit(settings.posts_per_room)
        """Posts in a room."""
        self.deletions = limit(settings.deletions_per_visitor)
        """Messages that a visitor deletes."""
        self.joins = limit(settings.joins_per_visitor)
        """Rooms that a visitor joins."""
        self.rooms = limit(settings.new_rooms_per_visitor)
        """Rooms that a visitor makes."""
        self.arrivals = limit(settings.arrivals_per_address)
        """Attempts to come in from an address."""
        self.events = limit(settings.events_per_screen)
        """What a page sends over its socket."""
        self.pages = limit(settings.pages_per_address)
        """Pages that are asked for from an address, those that are not there too."""
        self.calls = limit(settings.calls_per_address)
        """Calls of the API from an address."""
        self._bus = bus
        self._all = {name: each for name, each in vars(self).items() if isinstance(each, Limit)}
        self._shared = {**self._all}
        del self._shared["events"]  # a page is on one node
        bus.subscribe(self._on_event)

    def tell(self) -> None:
        """Tell the other nodes what was spent here since the last time."""
        spent = {
            name: drawn for name, limit in self._shared.items() if (drawn := limit.take_drawn())
        }
        if spent:
            self._bus.send(LimitsSpent(spent))

    async def _on_event(self, event: Event) -> None:
        match event:
            case LimitsSpent(spent):
                for name, drawn in spent.items():
                    if limit := self._shared.get(name):
                        limit.note(drawn)

    def count_refused(self) -> dict[str, int]:
        """Return how often each limit has held somebody back."""
        return {name: limit.refused for name, limit in self._all.items()}


class Limit:
    """How often one thing may be done."""

    def __init__(self, rate: Rate, clock: Clock, salt: Callable[[date], bytes]) -> None:
        self._rate = rate
        self._clock = clock
        self._make_salt = salt
        self._day = date.min
        self._salt = b""
        self._full: dict[str, datetime] = {}  # when the bucket of each will be full again
        self._drawn: Counter[str] = Counter()  # what the other nodes do not know yet
        self.refused = 0

    def spend(self, who: str) -> None:
        """Note that it is done once more; raise `TooOften`, and note nothing, if that is too often.

        >>> limit = Limit(Rate(1, timedelta(seconds=10)), SteadyClock(), lambda day: b"salt")
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
        if len(self._drawn) < _TOLD_MOST:
            self._drawn[key] += 1
        if len(self._full) > _KEPT_MOST:
            self._tidy()

    def once(self, who: str) -> Callable[[], None]:
        """Return what spends when it is first called, for an act that may have to begin anew."""
        return cache(partial(self.spend, who))

    def take_drawn(self) -> dict[str, int]:
        """Return how often it was done since the last time, by whom as it is kept."""
        drawn, self._drawn = dict(self._drawn), Counter()
        return drawn

    def note(self, drawn: Mapping[str, int]) -> None:
        """Note what was done on another node; a bucket may be overdrawn by no more than itself."""
        if not self._rate.times:
            return
        self._turn_day()
        now = self._clock()
        for key, times in drawn.items():
            full = max(now, self._full.get(key, now)) + self._rate.span / self._rate.times * times
            self._full[key] = min(full, now + 2 * self._rate.span)
        if len(self._full) > _KEPT_MOST:
            self._tidy()

    def _blur(self, who: str) -> str:
        """Return what stands for somebody today; nobody can tell from it who it is."""
        self._turn_day()
        return hashlib.blake2s(who.encode(), key=self._salt, digest_size=12).hexdigest()

    def _turn_day(self) -> None:
        if (today := self._clock().date()) != self._day:
            self._day, self._salt = today, self._make_salt(today)
            self._full.clear()

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
