"""Where Valkey, or Redis, is said to be."""

import pytest

from anonchat.valkey import Valkey


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://valkey:6379", {"host": "valkey", "port": 6379}),
        ("valkey://valkey.example/2", {"host": "valkey.example", "db": 2}),
        ("valkeys://:secret@valkey:6380", {"host": "valkey", "port": 6380, "password": "secret"}),
        ("unix:///run/valkey/valkey.sock", {"path": "/run/valkey/valkey.sock"}),
    ],
)
def test_a_host_or_a_file_may_be_called_like_the_program(
    url: str, place: dict[str, object]
) -> None:
    given = Valkey(url)._client.connection_pool.connection_kwargs
    assert {name: given[name] for name in place} == place
