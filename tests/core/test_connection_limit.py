"""How many connections visitors and strangers of one network may hold open."""

from anonchat import ConnectionLimit, LimitReached, Networks

HERE: Networks = (("here", 1.0),)
NARROW: Networks = (("a /64", 1.0), ("the /48", 0.25))
BESIDE: Networks = (("another /64", 1.0), ("the /48", 0.25))


def _open_all(limit: ConnectionLimit, networks: Networks, *, visitor_id: str = "") -> int:
    """Open as many as one may; return how many that are."""
    opened = 0
    while True:
        try:
            limit.open(networks, visitor_id=visitor_id)
        except LimitReached:
            return opened
        opened += 1


def test_strangers_of_a_network_share_its_places() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    assert _open_all(limit, HERE) == 5
    assert limit.is_full(HERE)
    limit.close(HERE)
    assert not limit.is_full(HERE)
    limit.open(HERE)


def test_strangers_keep_no_visitor_out() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    _open_all(limit, HERE)
    assert _open_all(limit, HERE, visitor_id="ann") == 5


def test_visitors_keep_no_other_visitor_out() -> None:
    limit = ConnectionLimit(per_visitor=100, per_network=50, network_total=1_000)
    assert _open_all(limit, HERE, visitor_id="ann") == 50
    assert _open_all(limit, HERE, visitor_id="bob") == 4


def test_visitor_has_a_limit_in_all_networks_together() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=100, network_total=1_000)
    assert _open_all(limit, HERE, visitor_id="ann") == 10
    assert _open_all(limit, NARROW, visitor_id="ann") == 0
    assert (
        _open_all(
            ConnectionLimit(per_visitor=2, per_network=9, network_total=1_000),
            HERE,
            visitor_id="ann",
        )
        == 2
    )


def test_network_has_a_limit_for_all_its_visitors_together() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=20)
    opened = [_open_all(limit, HERE, visitor_id=f"visitor {number}") for number in range(9)]
    assert sum(opened) == 20, "the first four of each visitor count as well"
    limit.close(HERE, visitor_id="visitor 0")
    limit.open(HERE, visitor_id="somebody else")


def test_wide_network_has_four_times_the_places() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    assert _open_all(limit, NARROW) == 5
    assert _open_all(limit, BESIDE) == 5
    for number in range(2):
        assert _open_all(limit, ((f"{number}", 1.0), ("the /48", 0.25))) == 5
    assert _open_all(limit, (("one more", 1.0), ("the /48", 0.25))) == 0


def test_nothing_is_kept_of_closed_connections() -> None:
    limit = ConnectionLimit(per_visitor=10, per_network=5, network_total=1_000)
    for visitor_id in ("", "ann"):
        for _ in range(2):
            limit.open(NARROW, visitor_id=visitor_id)
    for visitor_id in ("", "ann"):
        for _ in range(2):
            limit.close(NARROW, visitor_id=visitor_id)
    assert len(limit) == 0
