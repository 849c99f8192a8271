"""Parsing of Valkey and Redis URLs."""

import pytest

from anonchat.bus.client import Valkey


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://valkey:6379", {"host": "valkey", "port": 6379}),
        ("valkey://valkey.example/2", {"host": "valkey.example", "db": 2}),
        ("valkeys://:secret@valkey:6380", {"host": "valkey", "port": 6380, "password": "secret"}),
        ("unix:///run/valkey/valkey.sock", {"path": "/run/valkey/valkey.sock"}),
    ],
)
def test_valkey_url_is_parsed_if_the_host_or_path_contains_valkey(
    url: str, expected: dict[str, object]
) -> None:
    kwargs = Valkey(url)._client.connection_pool.connection_kwargs
    assert {name: kwargs[name] for name in expected} == expected
