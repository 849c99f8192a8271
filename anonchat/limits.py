"""How often what may be done, and by whom; the same for screens and programs.

Each limit is a bucket for everybody it knows, which refills steadily (the generic cell rate
algorithm): one moment is kept for each, and it says in how long there will be room again. Who they
are is kept as a keyed hash under a salt of the day, in memory alone.

Each node counts by itself, at once, and tells the others a few times a second what was spent.
"""

import hashlib
import ipaddress
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cache, partial

from .bus import Bus
from .clock import Clock
from .errors import N_, TooManyPhrases, TooOften
from .events import Event, LimitsSpent
from .rates import UNLIMITED, Rate
from .recent_use import RecentUse
from .seal import Hasher
from .settings import Settings
from .sliding_window import SlidingWindow

_KEPT_MOST = 100_000
_TOLD_MOST = 20_000
_PHRASES_MOST = 5
_PHRASES_SPAN = timedelta(minutes=10)
_WIDE_WEIGHT = 0.25
_BURST = 5

# Fixed: they bound what costs little, and are no one's to tune.
_PAGES_WITH_PASS = Rate(20, timedelta(minutes=1))
_TOKEN_LOOKUPS = Rate(60, timedelta(minutes=1))
_SMALL_ANSWERS = Rate(100, timedelta(seconds=1))
_REQUESTS = Rate(500, timedelta(seconds=2))  # each costs up to a millisecond

_OF_ONE_NODE = (
    "events",  # of a page, which is on one node
    "small_answers",
    "requests",
    "pace_of_network",
    "pace_of_strangers",
    "pace_of_newcomers",
    "pace_of_assets",
)


class Limits:
    """All limits on how often something may be done."""

    def __init__(self, settings: Settings, *, clock: Clock, bus: Bus, hasher: Hasher) -> None:
        def limit(rate: Rate) -> Limit:
            return Limit(rate, clock, lambda day: hasher.hash("salt", str(day)))

        self.posts = limit(settings.posts_per_visitor)
        """Posts of a visitor."""
        self.posts_in_room = limit(settings.posts_per_room)
        """Posts in a room."""
        self.posts_of_member = RecentUse(
            settings.posts_per_room.span, clock, self.posts_in_room.blur
        )
        """Posts of each member of a room (see `RoomPostShares`)."""
        self.deletions = limit(settings.deletions_per_visitor)
        """Messages that a visitor deletes."""
        self.joins = limit(settings.joins_per_visitor)
        """Rooms that a visitor joins."""
        self.rooms = limit(settings.new_rooms_per_visitor)
        """Rooms that a visitor makes."""
        self.arrivals = limit(settings.arrivals_per_address)
        """Attempts to come in from an address without a solved challenge."""
        self.events = limit(settings.events_per_screen)
        """What a page sends over its socket."""
        self.pages = limit(settings.pages_per_address)
        """Page requests of a visitor, or of the strangers of an address, 404s included."""
        self.pages_with_pass = limit(_PAGES_WITH_PASS)
        """Page requests of a stranger who has solved a challenge."""
        self.calls = limit(settings.calls_per_address)
        """Calls of the API by a visitor, or by the strangers of an address."""
        self.token_lookups = limit(_TOKEN_LOOKUPS)
        """Unsigned tokens from an address that are looked up in the database."""
        self.small_answers = limit(_SMALL_ANSWERS)
        """Refusals and other answers of less than a millisecond to an address."""
        self.requests = limit(_REQUESTS if settings.work_per_network.times else UNLIMITED)
        """Requests from an address, whatever is answered."""
        self.work_of_visitor = limit(settings.work_per_visitor)
        """Estimated processor time of a visitor, in milliseconds (see `WorkBudget`)."""
        self.work_of_network = limit(settings.work_per_network)
        """Estimated processor time of the visitors of a client network, in milliseconds."""
        self.work_of_strangers = limit(_with_burst(settings.work_per_visitor))
        """The same of its strangers: all together as much as one visitor, with more at once."""
        self.work_of_newcomers = limit(_with_burst(settings.work_per_visitor))
        """The same of its strangers who have solved a challenge."""
        self.work_of_assets = limit(settings.work_per_network)
        """The same of scripts and styles for its strangers."""
        self.pace_of_network = limit(_spread(settings.work_per_network, at_once=1 / 10))
        """How evenly the work of a network's visitors is spread (see `WorkBudget`)."""
        self.pace_of_strangers = limit(_spread(settings.work_per_network, at_once=1 / 6))
        """The same for its strangers."""
        self.pace_of_newcomers = limit(_spread(settings.work_per_network, at_once=1 / 6))
        """The same for those of them who have solved a challenge."""
        self.pace_of_assets = limit(_spread(settings.work_per_network, at_once=1 / 10))
        """The same for scripts and styles."""
        self.wrong_phrases = _limit_phrases(clock)
        """Wrong secret phrases for a nickname that is taken."""
        self.new_phrases = _limit_phrases(clock)
        """Secret phrases that are set for a nickname that was free, each of which shows a badge."""
        self._bus = bus
        self._all = {
            name: each
            for name, each in vars(self).items()
            if isinstance(each, Limit | SlidingWindow)
        }
        self._shared: dict[str, Limit | RecentUse | SlidingWindow] = {
            **self._all,
            "posts_of_member": self.posts_of_member,
        }
        for own in _OF_ONE_NODE:
            del self._shared[own]
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
        self._drawn: dict[str, float] = {}  # what the other nodes do not know yet
        self.refused = 0

    def spend(self, who: str, cost: float = 1) -> None:
        """Count what `who` does, `cost` times; raise `TooOften`, and count nothing, over the limit.

        >>> limit = Limit(Rate(1, timedelta(seconds=10)), SteadyClock(), lambda day: b"salt")
        >>> limit.spend("visitor")
        >>> limit.spend("visitor")
        Traceback (most recent call last):
        ...
        anonchat.errors.TooOften: That was too often. Please try again in 10 s.
        """
        self._reserve(((who, 1.0),), cost, longest=timedelta())

    def spend_address(self, address: str, cost: float = 1) -> None:
        """Count it for each network of an IP address, or for none; raise `TooOften` as `spend`."""
        self._reserve(client_networks(address), cost, longest=timedelta())

    def reserve(self, who: str, cost: float, *, longest: timedelta) -> timedelta:
        """Count it ahead of time, and return how long to wait before it is done.

        Raises `TooOften`, and counts nothing, if that would be longer than `longest`.
        """
        return self._reserve(((who, 1.0),), cost, longest=longest)

    def reserve_address(self, address: str, cost: float, *, longest: timedelta) -> timedelta:
        """Do what `reserve` does for each network of an IP address."""
        return self._reserve(client_networks(address), cost, longest=longest)

    def give_back(self, who: str, cost: float) -> None:
        """Count `cost` less: what was counted ahead of time did not happen, or took less."""
        self._reserve(((who, 1.0),), -cost, longest=timedelta.max)

    def give_back_address(self, address: str, cost: float) -> None:
        """Do what `give_back` does for each network of an IP address."""
        self._reserve(client_networks(address), -cost, longest=timedelta.max)

    def wait_of_address(self, address: str) -> timedelta:
        """Return how long each network of an IP address has to wait before it may do anything."""
        return max(timedelta(), self._read_used(address) - self._rate.span)

    def read_load(self, address: str) -> float:
        """Return how much of an IP address's bucket is used: 0 nothing, 1 all, 2 twice as much."""
        return self._read_used(address) / self._rate.span

    def _read_used(self, address: str) -> timedelta:
        """Return how long the fullest bucket of an IP address's networks takes to refill."""
        now = self._clock()
        fulls = [self._full.get(self.blur(who), now) for who, _ in client_networks(address)]
        return max(timedelta(), *(full - now for full in fulls))

    def _reserve(
        self, parts: Iterable[tuple[str, float]], cost: float, *, longest: timedelta
    ) -> timedelta:
        if not self._rate.times:
            return timedelta()
        now = self._clock()
        booked: dict[str, tuple[float, datetime]] = {}
        for who, weight in parts:
            key, units = self.blur(who), cost * weight
            full = max(now, self._full.get(key, now)) + self._rate.span / self._rate.times * units
            booked[key] = units, full
        wait = max((full - now - self._rate.span for _, full in booked.values()), default=longest)
        if wait > longest and cost > 0:
            self.refused += 1
            raise refusal(wait)
        for key, (units, full) in booked.items():
            self._full[key] = full
            if len(self._drawn) < _TOLD_MOST:
                self._drawn[key] = self._drawn.get(key, 0) + units
        if len(self._full) > _KEPT_MOST:
            self._tidy()
        return max(wait, timedelta())

    def free(self, who: str) -> float:
        """Return how many times `who` may do it now, one after the other."""
        now = self._clock()
        left = self._rate.span - (self._full.get(self.blur(who), now) - now)
        return max(0.0, min(1.0, left / self._rate.span) * self._rate.times)

    def once(self, who: str) -> Callable[[], None]:
        """Return what spends when it is first called, for an act that may have to begin anew."""
        return cache(partial(self.spend, who))

    def take_drawn(self) -> dict[str, float]:
        """Return how often it was done since the last time, by whom as it is kept."""
        drawn, self._drawn = self._drawn, {}
        return drawn

    def note(self, drawn: Mapping[str, float]) -> None:
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

    def blur(self, who: str) -> str:
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


def _with_burst(rate: Rate) -> Rate:
    """Return the same rate with more at once: sixty people may come from one network together."""
    return Rate(_BURST * rate.times, _BURST * rate.span)


def _spread(rate: Rate, *, at_once: float) -> Rate:
    """Return two thirds of that rate, with so many times as much at once."""
    return Rate(round(rate.times * at_once), rate.span * at_once * 3 / 2)


def client_networks(address: str) -> tuple[tuple[str, float], ...]:
    """Return the networks in which an IP address is counted, each with the weight of one act there.

    An IPv4 address is a network by itself. Of IPv6 the /64 is, and the /48 around it, which may do
    four times as much: whoever is given a /48 has 65,536 of the smaller ones.

    >>> client_networks("2001:db8::1")
    (('2001:db8::/64', 1.0), ('2001:db8::/48', 0.25))
    """
    network = neighbourhood(address)
    if network.endswith("/64"):
        wide = ipaddress.IPv6Network(network).supernet(new_prefix=48)
        return (network, 1.0), (str(wide), _WIDE_WEIGHT)
    return ((network, 1.0),)


def neighbourhood(address: str) -> str:
    """Return the smallest network of an IP address that one household shares.

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


def _limit_phrases(clock: Clock) -> SlidingWindow:
    return SlidingWindow(_PHRASES_MOST, _PHRASES_SPAN, clock=clock, refuse=_refuse_phrase)


def _refuse_phrase(seconds: int) -> TooManyPhrases:
    return TooManyPhrases(
        N_(
            "Too many secret phrases were tried for this nickname. Please try again in {seconds} s."
        ),
        seconds=seconds,
    )


def refusal(wait: timedelta) -> TooOften:
    """Return the error that tells how long to wait, one second at least."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    return TooOften(N_("That was too often. Please try again in {seconds} s."), seconds=seconds)
