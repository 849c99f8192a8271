"""Limits the open connections of each visitor and each client network."""

from collections.abc import Collection

from ..errors import N_, LimitReached
from .active_counter import ActiveCounter
from .client_networks import Networks

_EXEMPT = 4


class ConnectionLimit:
    """Counts open connections by visitor and client network.

    The anonymous clients of a network share `per_network` connections; its visitors share as many
    others. The first four connections of each visitor are exempt, so that
    others in the same network cannot block a visitor; including them, the network may hold
    `network_total`.
    """

    def __init__(self, *, per_visitor: int, per_network: int, network_total: int) -> None:
        self._per_visitor = per_visitor
        self._per_network = per_network
        self._network_total = network_total
        self._visitors = ActiveCounter()
        self._visitors_by_network = ActiveCounter()
        self._anonymous_by_network = ActiveCounter()

    def open(self, networks: Networks, *, visitor_id: str = "") -> None:
        """Count a connection of a visitor, or of an anonymous client. Raises `LimitReached`."""
        held = self._visitors[visitor_id] if visitor_id else 0
        is_exempt = bool(visitor_id) and held < _EXEMPT
        counts = self._visitors_by_network if visitor_id else self._anonymous_by_network
        if (
            held >= self._per_visitor
            or (not is_exempt and self._is_full(counts, networks))
            or self._is_total_reached(networks)
        ):
            raise LimitReached(N_("Too many connections are open. Close some and try again."))
        if visitor_id:
            self._visitors[visitor_id] += 1
        counts.update(name for name, _ in networks)

    def close(self, networks: Networks, *, visitor_id: str = "") -> None:
        """Remove a connection that `open` has counted."""
        if visitor_id:
            self._visitors.decrement(visitor_id)
        counts = self._visitors_by_network if visitor_id else self._anonymous_by_network
        for name, _ in networks:
            counts.decrement(name)

    def count(self, visitor_id: str) -> int:
        """Return the number of open connections of a visitor."""
        return self._visitors[visitor_id]

    def list_visitors(self) -> Collection[str]:
        """Return the ids of the visitors with open connections."""
        return self._visitors.keys()

    def is_full(self, networks: Networks) -> bool:
        """Return whether anonymous clients of these networks have reached the limit."""
        return self._is_full(self._anonymous_by_network, networks)

    def _is_total_reached(self, networks: Networks) -> bool:
        return any(
            (self._visitors_by_network[name] + self._anonymous_by_network[name]) * weight
            >= self._network_total
            for name, weight in networks
        )

    def _is_full(self, counts: ActiveCounter, networks: Networks) -> bool:
        return any(counts[name] * weight >= self._per_network for name, weight in networks)

    def __len__(self) -> int:
        return (
            len(self._visitors) + len(self._visitors_by_network) + len(self._anonymous_by_network)
        )
