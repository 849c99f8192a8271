"""Bounds how many connections one visitor and one client network hold open."""

from collections import Counter
from collections.abc import Collection

from .errors import N_, LimitReached
from .network_shares import Networks

_RESERVED = 4


class ConnectionLimit:
    """Counts open connections by who holds them.

    Strangers of a client network share `per_network` places there, and its visitors as many others.
    The first four connections of a visitor need no place among those, so that nobody of the same
    network can keep a visitor out; with them the network may hold `network_total`.
    """

    def __init__(self, *, per_visitor: int, per_network: int, network_total: int) -> None:
        self._per_visitor = per_visitor
        self._per_network = per_network
        self._network_total = network_total
        self._visitors: Counter[str] = Counter()
        self._of_visitors: Counter[str] = Counter()  # by network
        self._of_strangers: Counter[str] = Counter()

    def open(self, networks: Networks, *, visitor_id: str = "") -> None:
        """Count a connection; without a visitor it is a stranger's. Raises `LimitReached`."""
        held = self._visitors[visitor_id] if visitor_id else 0
        needs_place = not visitor_id or held >= _RESERVED
        counts = self._of_visitors if visitor_id else self._of_strangers
        if (
            held >= self._per_visitor
            or (needs_place and self._is_full(counts, networks))
            or self._is_crowded(networks)
        ):
            raise LimitReached(N_("Too many connections are open. Close some and try again."))
        if visitor_id:
            self._visitors[visitor_id] += 1
        counts.update(name for name, _ in networks)

    def close(self, networks: Networks, *, visitor_id: str = "") -> None:
        """Count a connection no longer that `open` has counted."""
        if visitor_id:
            _take_one(self._visitors, visitor_id)
        for name, _ in networks:
            _take_one(self._of_visitors if visitor_id else self._of_strangers, name)

    def count(self, visitor_id: str) -> int:
        """Return how many connections a visitor holds open."""
        return self._visitors[visitor_id]

    def list_visitors(self) -> Collection[str]:
        """Return the ids of the visitors who hold connections open."""
        return self._visitors.keys()

    def is_full(self, networks: Networks) -> bool:
        """Return whether a stranger of these networks could open no connection."""
        return self._is_full(self._of_strangers, networks)

    def _is_crowded(self, networks: Networks) -> bool:
        return any(
            (self._of_visitors[name] + self._of_strangers[name]) * weight >= self._network_total
            for name, weight in networks
        )

    def _is_full(self, counts: Counter[str], networks: Networks) -> bool:
        return any(counts[name] * weight >= self._per_network for name, weight in networks)

    def __len__(self) -> int:
        return len(self._visitors) + len(self._of_visitors) + len(self._of_strangers)


def _take_one(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
