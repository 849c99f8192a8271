"""Limits on open connections and unread output, per client network and in total."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Protocol

from anonchat import Settings, client_networks

_TOTAL = ""  # stands for all networks together


class Connection(Hashable, Protocol):
    """A connection that can be aborted."""

    def abort(self) -> None:
        """Close the connection at once and discard unsent output."""


@dataclass(slots=True)
class _Network:
    """Usage of one client network; sizes in bytes."""

    open: float = 0
    unread: float = 0
    readers: dict[Connection, float] = field(default_factory=dict)  # oldest first


class Connections:
    """Limits the connections and the unread output of each client network and in total.

    The limits of an IPv6 /48 are four times those of a /64 in it. Trusted proxies connect for all
    visitors, so their connections count towards the total only. `refused` counts `connections`
    (refused over a limit) and `unread` (aborted over a limit on unread output; the connection with
    the oldest unread output is aborted).
    """

    def __init__(self, settings: Settings, *, refused: Counter[str]) -> None:
        self._open_max = settings.connections_max
        self._open_per_network_max = settings.connections_per_ip_max
        self._unread_max = settings.unread_max
        self._unread_per_network_max = settings.unread_per_ip_max
        proxies = filter(None, map(str.strip, settings.trusted_proxies.split(",")))
        self._proxies = [ip_network(proxy, strict=False) for proxy in proxies]
        self._refused = refused
        self._networks: dict[str, _Network] = {}
        self._open: dict[Connection, tuple[tuple[str, float], ...]] = {}
        self._unread: dict[Connection, tuple[tuple[str, float], ...]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, connection: Connection, address: str) -> str | None:
        """Count a new connection; return the network whose limit it exceeds, if any.

        `""` stands for the total.
        """
        weights = ((_TOTAL, 1.0), *(() if self._is_proxy(address) else client_networks(address)))
        self._open[connection] = weights
        exceeded = None
        for name, weight in weights:
            network = self._networks.setdefault(name, _Network())
            network.open += weight
            if network.open > (self._open_max if name == _TOTAL else self._open_per_network_max):
                exceeded = name
        return exceeded

    def replace(self, connection: Connection, successor: Connection) -> None:
        """Replace the object that represents an open connection."""
        if weights := self._open.pop(connection, None):
            self._open[successor] = weights

    def refuse(self, connection: Connection) -> None:
        """Abort a connection because a limit is exceeded."""
        self._refused["connections"] += 1
        connection.abort()

    def close(self, connection: Connection) -> None:
        """Stop counting a connection."""
        for name, weight in self._open.pop(connection, ()):
            self._networks[name].open -= weight
            self._delete_if_empty(name)

    def set_unread(self, connection: Connection, *, address: str, size: int) -> None:
        """Set the unread bytes of a connection; over a limit, abort the oldest reader."""
        weights = self._unread.get(connection)
        if weights is None:
            weights = self._unread[connection] = ((_TOTAL, 1.0), *client_networks(address))
        for name, weight in weights:
            network = self._networks.setdefault(name, _Network())
            network.unread += size * weight - network.readers.get(connection, 0)
            network.readers[connection] = size * weight
        for name, _ in weights:
            limit = self._unread_max if name == _TOTAL else self._unread_per_network_max
            while (usage := self._networks.get(name)) and usage.unread > limit:
                oldest = next(iter(usage.readers))
                self.clear_unread(oldest)
                self._refused["unread"] += 1
                oldest.abort()

    def clear_unread(self, connection: Connection) -> None:
        """Stop counting the unread output of a connection."""
        for name, _ in self._unread.pop(connection, ()):
            network = self._networks[name]
            network.unread -= network.readers.pop(connection)
            self._delete_if_empty(name)

    def abort_slow_readers(self) -> None:
        """Abort all connections with unread output."""
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

    def _delete_if_empty(self, name: str) -> None:
        network = self._networks[name]
        if not network.open and not network.readers:
            del self._networks[name]
