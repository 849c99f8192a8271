"""Posts that wait for the database, taken in turns so that nobody waits behind a flood."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

from .errors import N_, LimitReached
from .network_shares import HeldPlaces, NetworkShares


class _Post(Protocol):
    @property
    def visitor_id(self) -> str: ...


T = TypeVar("T", bound=_Post)


class PostQueue(Generic[T]):
    """A bounded queue in which visitors and client networks have fair shares and take turns."""

    def __init__(self, most: int, shares: NetworkShares) -> None:
        self._most = most
        self._shares = shares
        self._waiting: dict[int, T] = {}  # in the order of their coming
        self._places = HeldPlaces(most)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._waiting.values()))

    def add(self, post: T) -> None:
        """Let a post wait; raise `LimitReached` if too many do, or too many of its sender."""
        senders = ((post.visitor_id, 1.0), *self._shares.of_visitor(post.visitor_id))
        if not self._places.is_within_share(senders, bound=self._most, taken=len(self)):
            raise LimitReached(N_("Too much is being said at once. Please try again."))
        self._waiting[id(post)] = post
        self._places.hold(id(post), senders)

    def choose(self, most: int) -> list[T]:
        """Return the posts whose turn it is, which go on waiting until they are removed.

        If there are more than `most`, each client network has one after the other, and so has each
        visitor of a network. The posts of one visitor keep their order.
        """
        if len(self) <= most:
            return list(self)
        networks: dict[str, dict[str, deque[T]]] = {}
        for post in self._waiting.values():
            senders = self._places.networks_of(id(post))
            network, _ = senders[min(1, len(senders) - 1)]  # the visitor, if that is unknown
            visitors = networks.setdefault(network, {})
            visitors.setdefault(post.visitor_id, deque()).append(post)
        turns = (_take_turns(visitors.values()) for visitors in networks.values())
        return list(islice(_take_turns([deque(turn) for turn in turns]), most))

    def remove(self, posts: Collection[T]) -> None:
        """Let these posts wait no more."""
        for post in posts:
            self._waiting.pop(id(post), None)
            self._places.release(id(post))

    def remove_unless(self, is_needed: Callable[[T], bool]) -> None:
        """Let those posts wait no more that are not needed."""
        self.remove([post for post in self if not is_needed(post)])


def _take_turns(lines: Collection[deque[T]]) -> Iterator[T]:
    """Yield the first of each line, then the second of each, and so on."""
    lines = deque(lines)
    while lines:
        line = lines.popleft()
        yield line.popleft()
        if line:
            lines.append(line)
