"""Limits of open connections per visitor and per network."""

from anonchat import ConnectionLimit, LimitReached, Networks

NETWORK: Networks = (("here", 1.0),)
SUBNET: Networks = (("a /64", 1.0), ("the /48", 0.25))
OTHER_SUBNET: Networks = (("another /64", 1.0), ("the /48", 0.25))


def _open_all(limit: ConnectionLimit, networks: Networks, *, visitor_id: str = "") -> int:
    """Open connections until the limit is reached; return their number."""
    opened = 0
    while True:
        try:
            limit.open(networks, visitor_id=visitor_id)
        except LimitReached:
            return opened
        opened += 1


def test_unauthenticated_connections_of_a_network_share_one_limit() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    assert _open_all(limit, NETWORK) == 5
    assert limit.is_full(NETWORK)
    limit.close(NETWORK)
    assert not limit.is_full(NETWORK)
    limit.open(NETWORK)


def test_unauthenticated_connections_do_not_block_visitors() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    _open_all(limit, NETWORK)
    assert _open_all(limit, NETWORK, visitor_id="ann") == 5


def test_visitor_cannot_block_other_visitors_of_the_network() -> None:
    limit = ConnectionLimit(per_visitor=100, per_network=50, network_total=1_000)
    assert _open_all(limit, NETWORK, visitor_id="ann") == 50
    assert _open_all(limit, NETWORK, visitor_id="bob") == 4


def test_visitor_has_one_limit_across_all_networks() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=100, network_total=1_000)
    assert _open_all(limit, NETWORK, visitor_id="ann") == 10
    assert _open_all(limit, SUBNET, visitor_id="ann") == 0
    assert (
        _open_all(
            ConnectionLimit(per_visitor=2, per_network=9, network_total=1_000),
            NETWORK,
            visitor_id="ann",
        )
        == 2
    )


def test_network_has_one_total_limit_for_all_its_visitors() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=20)
    opened = [_open_all(limit, NETWORK, visitor_id=f"visitor {number}") for number in range(9)]
    assert sum(opened) == 20, "the first four connections of each visitor count as well"
    limit.close(NETWORK, visitor_id="visitor 0")
    limit.open(NETWORK, visitor_id="somebody else")


def test_wide_network_has_four_times_the_limit() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    assert _open_all(limit, SUBNET) == 5
    assert _open_all(limit, OTHER_SUBNET) == 5
    for number in range(2):
        assert _open_all(limit, ((f"{number}", 1.0), ("the /48", 0.25))) == 5
    assert _open_all(limit, (("one more", 1.0), ("the /48", 0.25))) == 0


def test_closed_connections_leave_no_state() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    for visitor_id in ("", "ann"):
        for _ in range(2):
            limit.open(SUBNET, visitor_id=visitor_id)
    for visitor_id in ("", "ann"):
        for _ in range(2):
            limit.close(SUBNET, visitor_id=visitor_id)
    assert len(limit) == 0
