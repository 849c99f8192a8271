"""Rate limits of visitors, rooms and IP addresses, the same for pages and API clients.

Each limit keeps a bucket per key, which refills steadily (generic cell rate algorithm); a bucket is
stored as the time at which it will be full again. Keys are stored as keyed hashes under a daily
salt, in memory only.

Each node counts at once, and publishes its counts to the other nodes a few times a second.

Visitors are signed in; strangers are clients of a network that are not. Newcomers are strangers who
have solved a proof-of-work challenge.
"""

import hashlib
import ipaddress
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cache, partial

from ..bus import Bus
from ..crypto import Hasher
from ..errors import N_, RateLimited, TooManyPhrases
from ..events import Event, LimitUsage
from ..rates import UNLIMITED, Rate
from ..runtime.clock import Clock
from ..settings import Settings
from .recent_use import RecentUse
from .sliding_window import SlidingWindow

_KEYS_MAX = 100_000
_UNSENT_MAX = 20_000
_PHRASES_MAX = 5
_PHRASES_SPAN = timedelta(minutes=10)
_WIDE_WEIGHT = 0.25
_BURST = 5

# Constants instead of settings, because they limit cheap operations.
_PAGES_WITH_PASS = Rate(20, timedelta(minutes=1))
_TOKEN_LOOKUPS = Rate(60, timedelta(minutes=1))
_SMALL_ANSWERS = Rate(100, timedelta(seconds=1))
_REQUESTS = Rate(500, timedelta(seconds=2))  # a request costs up to a millisecond

_LOCAL_LIMITS = (
    "events",  # a page is connected to one node
    "small_answers",
    "requests",
    "pace_of_network",
    "pace_of_strangers",
    "pace_of_newcomers",
    "pace_of_assets",
)


class Limits:
    """All rate limits."""

    def __init__(self, settings: Settings, *, clock: Clock, bus: Bus, hasher: Hasher) -> None:
        def limit(rate: Rate) -> Limit:
            return Limit(rate, clock, lambda day: hasher.hash("salt", str(day)))

        self.posts = limit(settings.posts_per_visitor)
        """Posts of a visitor."""
        self.posts_in_room = limit(settings.posts_per_room)
        """Posts in a room."""
        self.posts_of_member = RecentUse(
            settings.posts_per_room.span, clock, self.posts_in_room.hash_key
        )
        """Posts of each member of a room (see `RoomPostShares`)."""
        self.deletions = limit(settings.deletions_per_visitor)
        """Messages deleted by a visitor."""
        self.joins = limit(settings.joins_per_visitor)
        """Rooms joined by a visitor."""
        self.rooms = limit(settings.new_rooms_per_visitor)
        """Rooms created by a visitor."""
        self.arrivals = limit(settings.sign_ins_per_ip)
        """Sign-in attempts from an IP address without a solved challenge."""
        self.events = limit(settings.socket_events_per_page)
        """Events that a page sends over its socket."""
        self.pages = limit(settings.page_views_per_ip)
        """Page requests of a visitor, or of the strangers of an IP address, 404s included."""
        self.pages_with_pass = limit(_PAGES_WITH_PASS)
        """Page requests of a newcomer."""
        self.calls = limit(settings.api_calls_per_ip)
        """API calls of a visitor, or of the strangers of an IP address."""
        self.token_lookups = limit(_TOKEN_LOOKUPS)
        """Database lookups of unsigned tokens from an IP address."""
        self.small_answers = limit(_SMALL_ANSWERS)
        """Responses to an IP address that cost less than a millisecond, such as refusals."""
        self.requests = limit(_REQUESTS if settings.work_per_network.times else UNLIMITED)
        """Requests from an IP address, whatever the response."""
        self.work_of_visitor = limit(settings.work_per_visitor)
        """Estimated processor time of a visitor, in milliseconds (see `WorkBudget`)."""
        self.work_of_network = limit(settings.work_per_network)
        """Estimated processor time of the visitors of a client network, in milliseconds."""
        self.work_of_strangers = limit(_with_burst(settings.work_per_visitor))
        """Processor time of the anonymous clients of a network, all together."""
        self.work_of_newcomers = limit(_with_burst(settings.work_per_visitor))
        """Processor time of the clients of a network that have solved a challenge."""
        self.work_of_assets = limit(settings.work_per_network)
        """Processor time for scripts and stylesheets that anonymous clients of a network load."""
        self.pace_of_network = limit(_with_small_burst(settings.work_per_network, fraction=1 / 10))
        """Burst limit for the work of a network's visitors (see `WorkBudget`)."""
        self.pace_of_strangers = limit(_with_small_burst(settings.work_per_network, fraction=1 / 6))
        """Burst limit for the work of its anonymous clients."""
        self.pace_of_newcomers = limit(_with_small_burst(settings.work_per_network, fraction=1 / 6))
        """Burst limit for the work of its clients that have solved a challenge."""
        self.pace_of_assets = limit(_with_small_burst(settings.work_per_network, fraction=1 / 10))
        """Burst limit for scripts and stylesheets."""
        self.wrong_phrases = _make_phrase_window(clock)
        """Wrong secret phrases for a nickname that is taken."""
        self.new_phrases = _make_phrase_window(clock)
        """Secret phrases set for a free nickname, each of which reveals a badge."""
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
        for name in _LOCAL_LIMITS:
            del self._shared[name]
        bus.subscribe(self._on_event)

    def publish_usage(self) -> None:
        """Publish to the other nodes what this node has counted since the last call."""
        usages = {
            name: usage for name, limit in self._shared.items() if (usage := limit.take_usage())
        }
        if usages:
            self._bus.publish_remote(LimitUsage(usages))

    async def _on_event(self, event: Event) -> None:
        match event:
            case LimitUsage(usages):
                for name, usage in usages.items():
                    if limit := self._shared.get(name):
                        limit.add_remote_usage(usage)

    def count_refused(self) -> dict[str, int]:
        """Return the number of refusals of each limit."""
        return {name: limit.refused for name, limit in self._all.items()}


class Limit:
    """A rate limit: one bucket per key, which is a visitor, room or network."""

    def __init__(self, rate: Rate, clock: Clock, salt: Callable[[date], bytes]) -> None:
        self._rate = rate
        self._clock = clock
        self._make_salt = salt
        self._day = date.min
        self._salt = b""
        self._full_at: dict[str, datetime] = {}  # when each bucket will be full again
        self._unsent: dict[str, float] = {}  # not published to the other nodes yet
        self.refused = 0

    def hit(self, key: str, cost: float = 1) -> None:
        """Count `cost` uses by `key`; raise `RateLimited`, without counting, over the limit.

        >>> from anonchat.runtime.clock import MonotonicWallClock
        >>> limit = Limit(Rate(1, timedelta(seconds=10)), MonotonicWallClock(), lambda day: b"salt")
        >>> limit.hit("visitor")
        >>> limit.hit("visitor")
        Traceback (most recent call last):
        ...
        anonchat.errors.RateLimited: That was too often. Please try again in 10 s.
        """
        self._reserve(((key, 1.0),), cost, max_wait=timedelta())

    def hit_address(self, address: str, cost: float = 1) -> None:
        """Do what `hit` does for each network of an IP address; count for all of them or none."""
        self._reserve(client_networks(address), cost, max_wait=timedelta())

    def reserve(self, key: str, cost: float, *, max_wait: timedelta) -> timedelta:
        """Count a use in advance, and return how long to wait before it.

        Raises `RateLimited`, without counting, if the wait would exceed `max_wait`.
        """
        return self._reserve(((key, 1.0),), cost, max_wait=max_wait)

    def reserve_address(self, address: str, cost: float, *, max_wait: timedelta) -> timedelta:
        """Do what `reserve` does for each network of an IP address."""
        return self._reserve(client_networks(address), cost, max_wait=max_wait)

    def refund(self, key: str, cost: float) -> None:
        """Refund `cost`: a use that was counted in advance did not happen, or cost less."""
        self._reserve(((key, 1.0),), -cost, max_wait=timedelta.max)

    def refund_address(self, address: str, cost: float) -> None:
        """Do what `refund` does for each network of an IP address."""
        self._reserve(client_networks(address), -cost, max_wait=timedelta.max)

    def wait_time_of_address(self, address: str) -> timedelta:
        """Return how long an IP address has to wait until all of its networks have capacity."""
        return max(timedelta(), self._read_used(address) - self._rate.span)

    def read_load(self, address: str) -> float:
        """Return the used fraction of an IP address's bucket; above 1 it is overdrawn."""
        return self._read_used(address) / self._rate.span

    def _read_used(self, address: str) -> timedelta:
        """Return how long the most used bucket of an IP address's networks takes to refill."""
        now = self._clock()
        fulls = [
            self._full_at.get(self.hash_key(name), now) for name, _ in client_networks(address)
        ]
        return max(timedelta(), *(full - now for full in fulls))

    def _reserve(
        self, keys: Iterable[tuple[str, float]], cost: float, *, max_wait: timedelta
    ) -> timedelta:
        if not self._rate.times:
            return timedelta()
        now = self._clock()
        buckets: dict[str, tuple[float, datetime]] = {}
        for key, weight in keys:
            hashed, units = self.hash_key(key), cost * weight
            buckets[hashed] = units, self._full_after(hashed, units, now)
        wait = max((full - now - self._rate.span for _, full in buckets.values()), default=max_wait)
        if wait > max_wait and cost > 0:
            self.refused += 1
            raise rate_limited_error(wait)
        for hashed, (units, full) in buckets.items():
            self._full_at[hashed] = full
            if len(self._unsent) < _UNSENT_MAX:
                self._unsent[hashed] = self._unsent.get(hashed, 0) + units
        if len(self._full_at) > _KEYS_MAX:
            self._evict()
        return max(wait, timedelta())

    def remaining(self, key: str) -> float:
        """Return the number of uses that remain for `key` now."""
        now = self._clock()
        left = self._rate.span - (self._full_at.get(self.hash_key(key), now) - now)
        return max(0.0, min(1.0, left / self._rate.span) * self._rate.times)

    def hit_once(self, key: str) -> Callable[[], None]:
        """Return a function that calls `hit` on its first call only, for retried operations."""
        return cache(partial(self.hit, key))

    def take_usage(self) -> dict[str, float]:
        """Return the uses by hashed key that this node has counted since the last call."""
        usage, self._unsent = self._unsent, {}
        return usage

    def add_remote_usage(self, usage: Mapping[str, float]) -> None:
        """Add uses of another node; they overdraw a bucket by at most its own size."""
        if not self._rate.times:
            return
        self._rotate_salt()
        now = self._clock()
        for hashed, times in usage.items():
            full = self._full_after(hashed, times, now)
            self._full_at[hashed] = min(full, now + 2 * self._rate.span)
        if len(self._full_at) > _KEYS_MAX:
            self._evict()

    def _full_after(self, hashed: str, units: float, now: datetime) -> datetime:
        """Return when a bucket will be full again once these units are taken from it."""
        return max(now, self._full_at.get(hashed, now)) + self._rate.span / self._rate.times * units

    def hash_key(self, key: str) -> str:
        """Return the hash of a key under today's salt, from which the key cannot be derived."""
        self._rotate_salt()
        return hashlib.blake2s(key.encode(), key=self._salt, digest_size=12).hexdigest()

    def _rotate_salt(self) -> None:
        if (today := self._clock().date()) != self._day:
            self._day, self._salt = today, self._make_salt(today)
            self._full_at.clear()

    def _evict(self) -> None:
        """Evict the least used half of the buckets, so that limited keys stay limited."""
        most_used_first = sorted(self._full_at.items(), key=lambda each: each[1], reverse=True)
        self._full_at = dict(most_used_first[: _KEYS_MAX // 2])


def _with_burst(rate: Rate) -> Rate:
    """Return the same rate with a larger burst: sixty people of a network may connect at once."""
    return Rate(_BURST * rate.times, _BURST * rate.span)


def _with_small_burst(rate: Rate, *, fraction: float) -> Rate:
    """Return a rate with a `fraction` of the burst, which refills at two thirds of the speed."""
    return Rate(round(rate.times * fraction), rate.span * fraction * 3 / 2)


def client_networks(address: str) -> tuple[tuple[str, float], ...]:
    """Return the networks of an IP address, each with the weight of one use there.

    An IPv4 address is a network by itself. An IPv6 address belongs to its /64 and to the /48 around
    it, whose limit is four times as high: a subscriber with a /48 has 65,536 networks of size /64.

    >>> client_networks("2001:db8::1")
    (('2001:db8::/64', 1.0), ('2001:db8::/48', 0.25))
    """
    network = client_network(address)
    if network.endswith("/64"):
        wide = ipaddress.IPv6Network(network).supernet(new_prefix=48)
        return (network, 1.0), (str(wide), _WIDE_WEIGHT)
    return ((network, 1.0),)


def client_network(address: str) -> str:
    """Return the IPv4 address itself, or the /64 of an IPv6 address.

    >>> client_network("2001:db8::1") == client_network("2001:db8::2")
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


def _make_phrase_window(clock: Clock) -> SlidingWindow:
    return SlidingWindow(_PHRASES_MAX, _PHRASES_SPAN, clock=clock, refuse=_phrase_error)


def _phrase_error(seconds: int) -> TooManyPhrases:
    return TooManyPhrases(
        N_(
            "Too many secret phrases were tried for this nickname. Please try again in {seconds} s."
        ),
        seconds=seconds,
    )


def rate_limited_error(wait: timedelta) -> RateLimited:
    """Return an error with the time to wait in seconds, at least 1."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    return RateLimited(N_("That was too often. Please try again in {seconds} s."), seconds=seconds)
