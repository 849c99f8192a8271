"""Rate limits of visitors, rooms and IP addresses, the same for pages and API clients.

Each node counts at once, and publishes its counts to the other nodes a few times a second.

Visitors are signed in; anonymous clients of a network are not. Pass holders are anonymous clients
that have solved a proof-of-work challenge.
"""

from datetime import timedelta

from ..bus import Bus
from ..crypto import Hasher
from ..errors import TooManyPhrases
from ..events import Event, LimitUsage
from ..rates import UNLIMITED, Rate
from ..runtime.clock import Clock
from ..settings import Settings
from .last_use import LastUse
from .limit import Limit
from .recent_use import RecentUse
from .sliding_window import SlidingWindow

_PHRASES_MAX = 5
_PHRASES_SPAN = timedelta(minutes=10)
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
    "burst_of_network",
    "burst_of_anonymous",
    "burst_of_pass_holders",
    "burst_of_assets",
)


class Limits:
    """All rate limits."""

    def __init__(self, settings: Settings, *, clock: Clock, bus: Bus, hasher: Hasher) -> None:
        def limit(rate: Rate) -> Limit:
            return Limit(rate, clock, lambda day: hasher.hash("salt", str(day)))

        work = settings.work_per_network
        self.posts = limit(settings.posts_per_visitor)
        """Posts of a visitor."""
        self.posts_in_room = limit(settings.posts_per_room)
        """Posts in a room."""
        self.posts_of_member = RecentUse(
            settings.posts_per_room.span, clock, self.posts_in_room.hash_key
        )
        """Posts of each member of a room (see `RoomPostShares`)."""
        self.slow_posts = LastUse(clock, self.posts_in_room.hash_key)
        """The last post of each member of a room in slow mode."""
        self.commands = limit(settings.commands_per_visitor)
        """Commands of plugins that a visitor runs."""
        self.actions = limit(settings.actions_per_visitor)
        """Actions of plugins that a visitor runs."""
        self.searches = limit(settings.searches_per_visitor)
        """Searches of a visitor for messages."""
        self.deletions = limit(settings.deletions_per_visitor)
        """Messages deleted by a visitor."""
        self.edits = limit(settings.edits_per_visitor)
        """Messages edited by a visitor."""
        self.reactions = limit(settings.reactions_per_visitor)
        """Reactions that a visitor adds or removes."""
        self.moderation = limit(settings.moderation_per_visitor)
        """What a visitor does to other members to keep order."""
        self.openings = limit(settings.openings_per_visitor)
        """Messages that a visitor opens once."""
        self.typing = limit(settings.typing_per_visitor)
        """Signals that a visitor is typing."""
        self.preferences = limit(settings.preferences_per_visitor)
        """Changes of what a visitor shows of themselves."""
        self.exports = limit(settings.exports_per_visitor)
        """Files with messages that a visitor saves."""
        self.transcripts = limit(settings.transcripts_per_visitor)
        """Questions of a visitor for a transcript."""
        self.joins = limit(settings.joins_per_visitor)
        """Rooms joined by a visitor."""
        self.rooms = limit(settings.new_rooms_per_visitor)
        """Rooms created by a visitor."""
        self.room_changes = limit(settings.new_rooms_per_visitor)
        """Changes of rooms by a visitor."""
        self.invites = limit(settings.invites_per_visitor)
        """Invitations that a visitor makes."""
        self.knocks = limit(settings.knocks_per_visitor)
        """How often a visitor asks to come into rooms."""
        self.wrong_passwords = limit(settings.wrong_passwords_per_visitor)
        """Wrong passwords of rooms that a visitor tries."""
        self.wrong_passwords_of_network = limit(settings.wrong_passwords_per_ip)
        """Wrong passwords of rooms that are tried from an IP address."""
        self.sign_ins = limit(settings.sign_ins_per_ip)
        """Sign-in attempts from an IP address without a solved challenge."""
        self.events = limit(settings.socket_events_per_page)
        """Events that a page sends over its socket."""
        self.pages = limit(settings.page_views_per_ip)
        """Page requests of a visitor, or of the anonymous clients of an address, 404s included."""
        self.pages_with_pass = limit(_PAGES_WITH_PASS)
        """Page requests of a pass holder."""
        self.calls = limit(settings.api_calls_per_ip)
        """API calls of a visitor, or of the anonymous clients of an IP address."""
        self.token_lookups = limit(_TOKEN_LOOKUPS)
        """Database lookups of unsigned tokens from an IP address."""
        self.small_answers = limit(_SMALL_ANSWERS)
        """Responses to an IP address that cost less than a millisecond, such as refusals."""
        self.requests = limit(_REQUESTS if work.times else UNLIMITED)
        """Requests from an IP address, whatever the response."""
        self.work_of_visitor = limit(settings.work_per_visitor)
        """Estimated processor time of a visitor, in milliseconds (see `WorkBudget`)."""
        self.work_of_network = limit(work)
        """Estimated processor time of the visitors of a client network, in milliseconds."""
        self.work_of_anonymous = limit(_with_burst(settings.work_per_visitor))
        """Processor time of the anonymous clients of a network, all together."""
        self.work_of_pass_holders = limit(_with_burst(settings.work_per_visitor))
        """Processor time of the pass holders of a network, all together."""
        self.work_of_assets = limit(work)
        """Processor time for scripts and stylesheets that anonymous clients of a network load."""
        self.burst_of_network = limit(_with_small_burst(work, fraction=1 / 10))
        """Burst limit for the work of a network's visitors (see `WorkBudget`)."""
        self.burst_of_anonymous = limit(_with_small_burst(work, fraction=1 / 6))
        """Burst limit for the work of its anonymous clients."""
        self.burst_of_pass_holders = limit(_with_small_burst(work, fraction=1 / 6))
        """Burst limit for the work of its pass holders."""
        self.burst_of_assets = limit(_with_small_burst(work, fraction=1 / 10))
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
        self._shared: dict[str, LastUse | Limit | RecentUse | SlidingWindow] = {
            **self._all,
            "posts_of_member": self.posts_of_member,
            "slow_posts": self.slow_posts,
        }
        for name in _LOCAL_LIMITS:
            del self._shared[name]
        self._make_limit = limit
        bus.subscribe(self._on_event)

    def add_shared(self, name: str, rate: Rate) -> Limit:
        """Return one more limit, which counts over all nodes that have added it too."""
        added = self._shared[name] = self._make_limit(rate)
        return added

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


def _with_burst(rate: Rate) -> Rate:
    """Return the same rate with a larger burst: sixty people of a network may connect at once."""
    return Rate(_BURST * rate.times, _BURST * rate.span)


def _with_small_burst(rate: Rate, *, fraction: float) -> Rate:
    """Return a rate with a `fraction` of the burst, which refills at two thirds of the speed."""
    return Rate(round(rate.times * fraction), rate.span * fraction * 3 / 2)


def _make_phrase_window(clock: Clock) -> SlidingWindow:
    return SlidingWindow(_PHRASES_MAX, _PHRASES_SPAN, clock=clock, error=TooManyPhrases)
