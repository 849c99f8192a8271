"""Fair shares of bounded resources for client networks: no single network can take all of one."""

import hashlib
import secrets
from collections.abc import Hashable, Iterable

from ..bus import Bus
from ..events import Event, RoomEnded, VisitorForgotten
from .active_counter import ActiveCounter
from .client_networks import Networks, client_networks
from .fair_share import fair_share

_PLACES_MAX = 100_000
_SMALL_SHARE = 1 / 8  # of a bound: always allowed while this much is free


class NetworkHoldings:
    """Places (units of one bounded resource) and the networks that hold them, if known.

    Beyond `size_max` places the oldest ones are dropped from the count.
    """

    def __init__(self, size_max: int = _PLACES_MAX) -> None:
        self._size_max = size_max
        self._holders: dict[Hashable, Networks] = {}
        self._counts = ActiveCounter()

    def __len__(self) -> int:
        return len(self._holders)

    def hold(self, place: Hashable, networks: Networks) -> None:
        """Count a place for these networks, and not for its previous holder."""
        if self._holders.get(place, ()) == networks:
            return
        self.release(place)
        self._holders[place] = networks
        self._counts.update(key for key, _ in networks)
        if len(self._holders) > self._size_max:
            self.release(next(iter(self._holders)))

    def release(self, place: Hashable) -> None:
        """Remove a place from the count."""
        for key, _ in self._holders.pop(place, ()):
            self._counts.decrement(key)

    def networks_of(self, place: Hashable) -> Networks:
        """Return the networks that hold a place; empty if they are unknown."""
        return self._holders.get(place, ())

    def list_places(self) -> list[Hashable]:
        """Return all counted places."""
        return list(self._holders)

    def weighted_count(self, networks: Networks) -> float:
        """Return the weighted number of places held, the maximum over these networks."""
        return max((self._counts[key] * weight for key, weight in networks), default=0.0)

    def is_within_share(self, networks: Networks, *, bound: int, taken: int) -> bool:
        """Return whether these networks may hold one more of `bound` places; `taken` are taken."""
        free = bound - taken
        share = fair_share(bound, free)
        if free >= bound * _SMALL_SHARE:
            share = max(share, bound * _SMALL_SHARE)
        return free > 0 and (not networks or self.weighted_count(networks) < share)

    def may_displace(self, networks: Networks, place: Hashable, *, bound: int) -> bool:
        """Return whether these networks may take over a place: only if its holder has more places.

        An unknown holder counts as one that holds an eighth of the bound.
        """
        holder = self.networks_of(place)
        held = self.weighted_count(holder) if holder else bound * _SMALL_SHARE
        return held > self.weighted_count(networks)


class NetworkShares:
    """Records the client network of each visitor, and of the visitor who created each room.

    Networks are stored as keyed hashes, with a key of this process, in memory only: they are lost
    at a restart and not sent to other nodes. An unknown visitor counts in no network.
    """

    def __init__(self, bus: Bus) -> None:
        self._key = secrets.token_bytes(32)
        self.visitors = NetworkHoldings()
        """Visitors, by id."""
        self.rooms = NetworkHoldings()
        """Rooms, by id; the network is that of the visitor who created the room."""
        bus.subscribe(self._on_event)

    def record(self, visitor_id: str, address: str) -> None:
        """Record the last IP address of a visitor, if it is known."""
        if networks := self.networks_of_address(address):
            self.visitors.hold(visitor_id, networks)

    def networks_of_address(self, address: str) -> Networks:
        """Return the hashed networks of an IP address; empty for an empty address."""
        if not address:
            return ()
        return tuple(
            (hashlib.blake2s(name.encode(), key=self._key, digest_size=12).hexdigest(), weight)
            for name, weight in client_networks(address)
        )

    def count_members(self, visitor_ids: Iterable[str]) -> NetworkHoldings:
        """Return places with one place for each of these visitors."""
        places = NetworkHoldings()
        for visitor_id in visitor_ids:
            places.hold(visitor_id, self.visitors.networks_of(visitor_id))
        return places

    async def _on_event(self, event: Event) -> None:
        match event:
            case VisitorForgotten(visitor_id):
                self.visitors.release(visitor_id)
            case RoomEnded(room_id):
                self.rooms.release(room_id)
