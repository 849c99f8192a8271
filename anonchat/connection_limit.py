"""Bounds how many connections one visitor and one client network hold open."""

from collections import Counter
from collections.abc import Collection

from .errors import N_, LimitReached
from .limits import client_networks

_RESERVED = 4
_PARTS = 4  # of a place: a wide network counts each connection as a quarter of one


class ConnectionLimit:
    """Counts open connections by who holds them.

    Strangers of a client network share `per_network` places there, and its visitors as many others.
    The first four connections of a visitor need no place among those, so that nobody of the same
    network can keep a visitor out.
    """

    def __init__(self, *, per_visitor: int, per_network: int) -> None:
        self._per_visitor = per_visitor
        self._parts_per_network = per_network * _PARTS
        self._visitors: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()  # parts of places that are taken

    def open(self, *, address: str, visitor_id: str = "") -> None:
        """Count a connection; without a visitor it is a stranger's. Raises `LimitReached`."""
        places = _places(address, visitor_id)
        held = self._visitors[visitor_id]
        needs_place = not visitor_id or held >= _RESERVED
        if (visitor_id and held >= self._per_visitor) or (needs_place and self._is_full(places)):
            raise LimitReached(N_("Too many connections are open. Close some and try again."))
        if visitor_id:
            self._visitors[visitor_id] += 1
        for name, part in places:
            self._networks[name] += part

    def close(self, *, address: str, visitor_id: str = "") -> None:
        """Count a connection no longer that `open` has counted."""
        if visitor_id:
            _take(self._visitors, visitor_id, 1)
        for name, part in _places(address, visitor_id):
            _take(self._networks, name, part)

    def count(self, visitor_id: str) -> int:
        """Return how many connections a visitor holds open."""
        return self._visitors[visitor_id]

    def list_visitors(self) -> Collection[str]:
        """Return the ids of the visitors who hold connections open."""
        return self._visitors.keys()

    def is_full(self, address: str) -> bool:
        """Return whether a stranger at that address could open no connection."""
        return self._is_full(_places(address, ""))

    def _is_full(self, places: list[tuple[str, int]]) -> bool:
        return any(self._networks[name] + part > self._parts_per_network for name, part in places)

    def __len__(self) -> int:
        return len(self._visitors) + len(self._networks)


def _places(address: str, visitor_id: str) -> list[tuple[str, int]]:
    kind = "visitors" if visitor_id else "strangers"
    networks = client_networks(address) if address else ()
    return [(f"{kind} {name}", int(_PARTS * weight)) for name, weight in networks]


def _take(counter: Counter[str], name: str, part: int) -> None:
    counter[name] -= part
    if counter[name] <= 0:
        del counter[name]
