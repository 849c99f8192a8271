"""How many connections a client network has, and how much it leaves unread."""

from collections import Counter

import pytest

from anonchat import Settings
from pages.connections import Connections

_MIB = 1_048_576


class Caller:
    """A connection that notes whether it was hung up."""

    def __init__(self) -> None:
        self.is_cut = False

    def abort(self) -> None:
        self.is_cut = True


class Hall:
    """`Connections`, and what they refused."""

    def __init__(self, **settings: object) -> None:
        self.refused: Counter[str] = Counter()
        self.connections = Connections(Settings.model_validate(settings), refused=self.refused)

    def call(self, address: str, times: int = 1) -> tuple[list[Caller], list[str | None]]:
        callers = [Caller() for _ in range(times)]
        return callers, [self.connections.open(each, address) for each in callers]

    def leave_unread(self, address: str, *sizes: int) -> list[Caller]:
        callers = [Caller() for _ in sizes]
        for caller, size in zip(callers, sizes, strict=True):
            self.connections.note_unread(caller, address=address, size=size)
        return callers


def _is_tidy(hall: Hall) -> bool:
    return not hall.connections._networks


@pytest.mark.parametrize(
    ("address", "neighbour", "stranger"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:1::1"),
    ],
)
def test_connections_of_a_network_are_bounded_and_others_are_not(
    address: str, neighbour: str, stranger: str
) -> None:
    hall = Hall(connections_per_address_max=10)
    first, crowded = hall.call(address, 10)
    assert crowded == [None] * 10
    more, (network,) = hall.call(neighbour)
    assert network
    assert hall.call(stranger)[1] == [None]
    hall.connections.close(first[0])
    hall.connections.close(more[0])
    assert hall.call(neighbour)[1] == [None]


def test_a_48_has_four_times_as_many_connections_as_a_64() -> None:
    hall = Hall(connections_per_address_max=10)
    for part in range(4):
        assert hall.call(f"2001:db8:0:{part}::1", 10)[1] == [None] * 10
    assert hall.call("2001:db8:0:4::1")[1] == ["2001:db8::/48"]
    assert hall.call("2001:db8:1::1")[1] == [None]


def test_connections_are_bounded_all_together() -> None:
    hall = Hall(connections_max=10)
    assert [hall.call(f"192.0.2.{number}")[1] for number in range(10)] == [[None]] * 10
    assert hall.call("192.0.2.11")[1] == [""]


@pytest.mark.parametrize("proxy", ["192.0.2.1", "192.0.2.0/24", "198.51.100.1, 192.0.2.1"])
def test_trusted_proxy_is_bounded_by_the_total_alone(proxy: str) -> None:
    hall = Hall(connections_per_address_max=10, connections_max=30, trusted_proxies=proxy)
    assert hall.call("192.0.2.1", 20)[1] == [None] * 20
    assert hall.call("203.0.113.1", 11)[1][-1] == "203.0.113.1"
    assert hall.call("192.0.2.1")[1] == [""]


def test_closed_connections_leave_nothing() -> None:
    hall = Hall()
    callers, _ = hall.call("192.0.2.1", 3)
    hall.connections.note_unread(callers[0], address="192.0.2.1", size=5)
    successor = Caller()
    hall.connections.hand_over(callers[2], successor)
    for each in (*callers, *callers, successor):
        hall.connections.forget_unread(each)
        hall.connections.close(each)
    assert _is_tidy(hall)


def test_slowest_reader_of_a_network_gives_way() -> None:
    hall = Hall(unread_per_address_max=_MIB)
    (other,) = hall.leave_unread("192.0.2.2", _MIB)
    first, second, third = hall.leave_unread("192.0.2.1", _MIB // 2, _MIB // 2, 1)
    assert [each.is_cut for each in (other, first, second, third)] == [False, True, False, False]
    hall.connections.note_unread(second, address="192.0.2.1", size=_MIB + 1)
    assert (second.is_cut, third.is_cut) == (True, False)
    assert hall.refused == {"unread": 2}


def test_reader_who_has_read_gives_room() -> None:
    hall = Hall(unread_per_address_max=_MIB)
    first, second = hall.leave_unread("192.0.2.1", _MIB, 0)
    hall.connections.note_unread(first, address="192.0.2.1", size=0)
    hall.connections.note_unread(second, address="192.0.2.1", size=_MIB)
    hall.connections.forget_unread(first)
    hall.connections.forget_unread(second)
    assert not (first.is_cut or second.is_cut)
    assert _is_tidy(hall)


def test_unread_is_bounded_all_together() -> None:
    hall = Hall(unread_per_address_max=_MIB, unread_max=2 * _MIB)
    callers = [hall.leave_unread(f"192.0.2.{number}", _MIB)[0] for number in range(4)]
    assert [each.is_cut for each in callers] == [True, True, False, False]


def test_all_who_leave_something_unread_can_be_cut() -> None:
    hall = Hall()
    callers = hall.leave_unread("192.0.2.1", 1, 2)
    reader, _ = hall.call("192.0.2.1")
    hall.connections.cut_readers()
    assert [each.is_cut for each in (*callers, *reader)] == [True, True, False]
