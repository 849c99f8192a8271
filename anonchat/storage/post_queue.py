"""A fair queue of posts to be stored: a flood from one sender does not delay the others."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

from ..errors import N_, LimitReached
from ..limits.network_shares import NetworkHoldings, NetworkShares

QUEUE_FULL_TEXT = N_("Too much is being said at once. Please try again.")


class _Post(Protocol):
    @property
    def visitor_id(self) -> str: ...


T = TypeVar("T", bound=_Post)


class PostQueue(Generic[T]):
    """A bounded queue with fair shares and round robin between client networks and visitors."""

    def __init__(self, size_max: int, shares: NetworkShares) -> None:
        self._size_max = size_max
        self._shares = shares
        self._posts: dict[int, T] = {}  # by id(), in order of arrival
        self._places = NetworkHoldings(size_max)

    def __len__(self) -> int:
        return len(self._posts)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._posts.values()))

    def add(self, post: T) -> None:
        """Append a post; raise `LimitReached` if the queue or its sender's share is full."""
        senders = ((post.visitor_id, 1.0), *self._shares.visitors.networks_of(post.visitor_id))
        if not self._places.is_within_share(senders, bound=self._size_max, taken=len(self)):
            raise LimitReached(QUEUE_FULL_TEXT)
        self._posts[id(post)] = post
        self._places.hold(id(post), senders)

    def next_batch(self, limit: int) -> list[T]:
        """Return the next posts, at most `limit`; they stay in the queue until `remove()`.

        If there are more, client networks are served round robin, and so are the visitors within a
        network. The posts of one visitor keep their order.
        """
        if len(self) <= limit:
            return list(self)
        networks: dict[str, dict[str, deque[T]]] = {}
        for post in self._posts.values():
            senders = self._places.networks_of(id(post))
            network, _ = senders[min(1, len(senders) - 1)]  # the visitor if it is unknown
            visitors = networks.setdefault(network, {})
            visitors.setdefault(post.visitor_id, deque()).append(post)
        queues = [deque(_round_robin(visitors.values())) for visitors in networks.values()]
        return list(islice(_round_robin(queues), limit))

    def remove(self, posts: Collection[T]) -> None:
        """Remove these posts from the queue."""
        for post in posts:
            self._posts.pop(id(post), None)
            self._places.release(id(post))

    def retain(self, is_needed: Callable[[T], bool]) -> None:
        """Remove the posts for which `is_needed` returns false."""
        self.remove([post for post in self if not is_needed(post)])


def _round_robin(queues: Collection[deque[T]]) -> Iterator[T]:
    """Yield the first item of each queue, then the second of each, and so on."""
    queues = deque(queues)
    while queues:
        queue = queues.popleft()
        yield queue.popleft()
        if queue:
            queues.append(queue)
