"""Limits on the connections and the unread bytes of client networks."""

from collections import Counter

import pytest

from anonchat import Settings
from pages.transport.connections import Connections

_MIB = 1_048_576


class FakeConnection:
    """A connection that records whether it was aborted."""

    def __init__(self) -> None:
        self.is_connection_lost = False

    def abort(self) -> None:
        self.is_connection_lost = True


class Server:
    """`Connections` and its counts of refusals."""

    def __init__(self, **settings: object) -> None:
        self.refused: Counter[str] = Counter()
        self.connections = Connections(Settings.model_validate(settings), refused=self.refused)

    def connect(
        self, address: str, times: int = 1
    ) -> tuple[list[FakeConnection], list[str | None]]:
        opened = [FakeConnection() for _ in range(times)]
        return opened, [self.connections.open(each, address) for each in opened]

    def leave_unread(self, address: str, *sizes: int) -> list[FakeConnection]:
        opened = [FakeConnection() for _ in sizes]
        for connection, size in zip(opened, sizes, strict=True):
            self.connections.set_unread(connection, address=address, size=size)
        return opened


def _is_empty(server: Server) -> bool:
    return not server.connections._networks


@pytest.mark.parametrize(
    ("address", "same_network", "other_network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:1::1"),
    ],
)
def test_connections_are_limited_per_network(
    address: str, same_network: str, other_network: str
) -> None:
    server = Server(connections_per_ip_max=10)
    first, exceeded = server.connect(address, 10)
    assert exceeded == [None] * 10
    more, (network,) = server.connect(same_network)
    assert network
    assert server.connect(other_network)[1] == [None]
    server.connections.close(first[0])
    server.connections.close(more[0])
    assert server.connect(same_network)[1] == [None]


def test_ipv6_48_may_open_four_times_the_connections_of_a_64() -> None:
    server = Server(connections_per_ip_max=10)
    for part in range(4):
        assert server.connect(f"2001:db8:0:{part}::1", 10)[1] == [None] * 10
    assert server.connect("2001:db8:0:4::1")[1] == ["2001:db8::/48"]
    assert server.connect("2001:db8:1::1")[1] == [None]


def test_connections_are_limited_in_total() -> None:
    server = Server(connections_max=10)
    assert [server.connect(f"192.0.2.{number}")[1] for number in range(10)] == [[None]] * 10
    assert server.connect("192.0.2.11")[1] == [""]


@pytest.mark.parametrize("proxy", ["192.0.2.1", "192.0.2.0/24", "198.51.100.1, 192.0.2.1"])
def test_trusted_proxy_connections_are_limited_only_in_total(proxy: str) -> None:
    server = Server(connections_per_ip_max=10, connections_max=30, trusted_proxies=proxy)
    assert server.connect("192.0.2.1", 20)[1] == [None] * 20
    assert server.connect("203.0.113.1", 11)[1][-1] == "203.0.113.1"
    assert server.connect("192.0.2.1")[1] == [""]


def test_closed_connections_leave_no_state() -> None:
    server = Server()
    opened, _ = server.connect("192.0.2.1", 3)
    server.connections.set_unread(opened[0], address="192.0.2.1", size=5)
    successor = FakeConnection()
    server.connections.replace(opened[2], successor)
    for each in (*opened, *opened, successor):
        server.connections.clear_unread(each)
        server.connections.close(each)
    assert _is_empty(server)


def test_slowest_reader_of_a_network_is_aborted() -> None:
    server = Server(unread_per_ip_max=_MIB)
    (other,) = server.leave_unread("192.0.2.2", _MIB)
    first, second, third = server.leave_unread("192.0.2.1", _MIB // 2, _MIB // 2, 1)
    assert [each.is_connection_lost for each in (other, first, second, third)] == [
        False,
        True,
        False,
        False,
    ]
    server.connections.set_unread(second, address="192.0.2.1", size=_MIB + 1)
    assert (second.is_connection_lost, third.is_connection_lost) == (True, False)
    assert server.refused == {"unread": 2}


def test_unread_bytes_are_released_after_reading() -> None:
    server = Server(unread_per_ip_max=_MIB)
    first, second = server.leave_unread("192.0.2.1", _MIB, 0)
    server.connections.set_unread(first, address="192.0.2.1", size=0)
    server.connections.set_unread(second, address="192.0.2.1", size=_MIB)
    server.connections.clear_unread(first)
    server.connections.clear_unread(second)
    assert not (first.is_connection_lost or second.is_connection_lost)
    assert _is_empty(server)


def test_unread_bytes_are_limited_in_total() -> None:
    server = Server(unread_per_ip_max=_MIB, unread_max=2 * _MIB)
    readers = [server.leave_unread(f"192.0.2.{number}", _MIB)[0] for number in range(4)]
    assert [each.is_connection_lost for each in readers] == [True, True, False, False]


def test_abort_of_slow_readers_closes_all_with_unread_bytes() -> None:
    server = Server()
    slow = server.leave_unread("192.0.2.1", 1, 2)
    idle, _ = server.connect("192.0.2.1")
    server.connections.abort_slow_readers()
    assert [each.is_connection_lost for each in (*slow, *idle)] == [True, True, False]
