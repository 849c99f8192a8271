"""The open connections: how many each client network has, and how much it leaves unread."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Protocol

from anonchat import Settings, client_networks

_ALL = ""  # the network that contains all others


class Connection(Hashable, Protocol):
    """What can be hung up."""

    def abort(self) -> None:
        """Hang up, without sending what waits."""


@dataclass(slots=True)
class _Network:
    """What a client network has; sizes are in bytes."""

    open: float = 0
    unread: float = 0
    readers: dict[Connection, float] = field(default_factory=dict)  # slowest first


class Connections:
    """Bounds the connections of each client network, and what waits until it reads it.

    An IPv6 /48 may have four times as much as one of its /64. The proxies that are trusted connect
    for everybody, so their own connections count towards the bound for all alone. `refused` counts
    `connections` (one too many from a network, or at all) and `unread` (cut, because a network or
    all together left too much unread: the one that has been reading for longest gives way).
    """

    def __init__(self, settings: Settings, *, refused: Counter[str]) -> None:
        self._open_max = settings.connections_max
        self._open_per_network_max = settings.connections_per_address_max
        self._unread_max = settings.unread_max
        self._unread_per_network_max = settings.unread_per_address_max
        proxies = filter(None, map(str.strip, settings.trusted_proxies.split(",")))
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]
        self._refused = refused
        self._networks: dict[str, _Network] = {}
        self._open: dict[Connection, tuple[tuple[str, float], ...]] = {}
        self._unread: dict[Connection, tuple[tuple[str, float], ...]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, connection: Connection, address: str) -> str | None:
        """Count a new connection; return the network that has too many with it, if one has.

        `""` stands for all together.
        """
        parts = ((_ALL, 1.0), *(() if self._is_proxy(address) else client_networks(address)))
        self._open[connection] = parts
        crowded = None
        for name, weight in parts:
            network = self._networks.setdefault(name, _Network())
            network.open += weight
            if network.open > (self._open_max if name == _ALL else self._open_per_network_max):
                crowded = name
        return crowded

    def hand_over(self, connection: Connection, successor: Connection) -> None:
        """Let another object stand for an open connection from now on."""
        if parts := self._open.pop(connection, None):
            self._open[successor] = parts

    def refuse(self, connection: Connection) -> None:
        """Hang up on one of too many."""
        self._refused["connections"] += 1
        connection.abort()

    def close(self, connection: Connection) -> None:
        """Count a connection no more."""
        for name, weight in self._open.pop(connection, ()):
            self._networks[name].open -= weight
            self._tidy(name)

    def note_unread(self, connection: Connection, *, address: str, size: int) -> None:
        """Note how many bytes wait until a client reads them; of too many, the slowest is cut."""
        parts = self._unread.get(connection)
        if parts is None:
            parts = self._unread[connection] = ((_ALL, 1.0), *client_networks(address))
        for name, weight in parts:
            network = self._networks.setdefault(name, _Network())
            network.unread += size * weight - network.readers.get(connection, 0)
            network.readers[connection] = size * weight
        for name, _ in parts:
            most = self._unread_max if name == _ALL else self._unread_per_network_max
            while (crowded := self._networks.get(name)) and crowded.unread > most:
                slowest = next(iter(crowded.readers))
                self.forget_unread(slowest)
                self._refused["unread"] += 1
                slowest.abort()

    def forget_unread(self, connection: Connection) -> None:
        """Note that nothing waits for a client any more."""
        for name, _ in self._unread.pop(connection, ()):
            network = self._networks[name]
            network.unread -= network.readers.pop(connection)
            self._tidy(name)

    def cut_readers(self) -> None:
        """Hang up on everybody who has not read what they have asked for."""
        for connection in list(self._unread):
            connection.abort()

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(mapped in network for network in self._proxies)

    def _tidy(self, name: str) -> None:
        network = self._networks[name]
        if not network.open and not network.readers:
            del self._networks[name]
