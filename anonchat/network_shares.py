"""Fair shares of bounded resources for client networks: no single one can take them all."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Hashable, Iterable

from .bus import Bus
from .events import Event, RoomEnded, VisitorForgotten
from .fair_share import fair_share
from .limits import client_networks

Networks = tuple[tuple[str, float], ...]
"""The networks that one client counts in, each with the weight of one place there."""

_KNOWN_MOST = 100_000
_SMALL = 1 / 8  # of a bound: so much one network may hold for as long as so much is free


class HeldPlaces:
    """Places of one kind and the networks that hold them, as far as these are known.

    Of more than `most` places the oldest are not counted any more.
    """

    def __init__(self, most: int = _KNOWN_MOST) -> None:
        self._most = most
        self._holders: dict[Hashable, Networks] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._holders)

    def hold(self, place: Hashable, networks: Networks) -> None:
        """Count a place for these networks, whoever held it before."""
        if self._holders.get(place, ()) == networks:
            return
        self.release(place)
        self._holders[place] = networks
        self._counts.update(key for key, _ in networks)
        if len(self._holders) > self._most:
            self.release(next(iter(self._holders)))

    def release(self, place: Hashable) -> None:
        """Count a place no more."""
        for key, _ in self._holders.pop(place, ()):
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    def networks_of(self, place: Hashable) -> Networks:
        """Return the networks that hold a place; none, if they are unknown."""
        return self._holders.get(place, ())

    def list_places(self) -> list[Hashable]:
        """Return all places that are counted."""
        return list(self._holders)

    def weigh(self, networks: Networks) -> float:
        """Return how many places these networks hold, by the one with the greatest weight."""
        return max((self._counts[key] * weight for key, weight in networks), default=0.0)

    def is_within_share(self, networks: Networks, *, bound: int, taken: int) -> bool:
        """Tell whether these networks may hold one more of `bound` places."""
        free = bound - taken
        share = fair_share(bound, free)
        if free >= bound * _SMALL:
            share = max(share, bound * _SMALL)
        return free > 0 and (not networks or self.weigh(networks) < share)

    def may_displace(self, networks: Networks, place: Hashable, *, bound: int) -> bool:
        """Tell whether these networks may take over a place: only from one that holds more.

        A holder that is not known counts as one with an eighth of the bound.
        """
        holder = self.networks_of(place)
        held = self.weigh(holder) if holder else bound * _SMALL
        return held > self.weigh(networks)


class NetworkShares:
    """Knows from which client network each visitor came and which one made each room.

    Networks are kept as hashes under a key of this process, in memory alone: a restart forgets
    them, and other nodes are not told. Whoever is not known counts in no network.
    """

    def __init__(self, bus: Bus) -> None:
        self._key = secrets.token_bytes(32)
        self.visitors = HeldPlaces()
        """Visitors, by their ids."""
        self.rooms = HeldPlaces()
        """Rooms, by their ids; the network is that of the visitor who made it."""
        bus.subscribe(self._on_event)

    def learn(self, visitor_id: str, address: str) -> None:
        """Note the address that a visitor was last seen at, if it is known."""
        if networks := self.of_address(address):
            self.visitors.hold(visitor_id, networks)

    def of_address(self, address: str) -> Networks:
        """Return the networks of an IP address; none for an empty one."""
        if not address:
            return ()
        return tuple((self._blur(name), weight) for name, weight in client_networks(address))

    def of_visitor(self, visitor_id: str) -> Networks:
        """Return the networks of a visitor; none, if they are unknown."""
        return self.visitors.networks_of(visitor_id)

    def count_members(self, visitor_ids: Iterable[str]) -> HeldPlaces:
        """Return places that these visitors hold."""
        places = HeldPlaces()
        for visitor_id in visitor_ids:
            places.hold(visitor_id, self.of_visitor(visitor_id))
        return places

    def _blur(self, network: str) -> str:
        return hashlib.blake2s(network.encode(), key=self._key, digest_size=12).hexdigest()

    async def _on_event(self, event: Event) -> None:
        match event:
            case VisitorForgotten(visitor_id):
                self.visitors.release(visitor_id)
            case RoomEnded(room_id):
                self.rooms.release(room_id)
