"""Malformed bodies and queries up to the largest size are refused without blocking."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.api_client import ApiClient
from tests.api.apps import api_client, running_app
from tests.effort import MOST, longest_step
from tests.fakes import FakeClock

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

MAX_BODY_BYTES = 65_000
_CALLS = [("POST", "/visitors"), ("POST", "/rooms"), ("POST", "/rooms/night-train/messages")]
_FIELDS = ("nickname", "name", "text", "secret_phrase", "topic", "dedup_id", "message_ttl")


def _repeat(piece: str, before: str = "", after: str = "") -> bytes:
    return (
        before + piece * ((MAX_BODY_BYTES - len(before + after)) // len(piece)) + after
    ).encode()


def _in_every_field(value: object) -> bytes:
    return json.dumps(dict.fromkeys(_FIELDS, value)).encode()


MALFORMED = {
    "nothing": b"",
    "invalid UTF-8": b"\xff\xfe" * 1_000,
    "truncated": b'{"text": "x',
    "a word": b"true",
    "a number": b"7",
    "null": b"null",
    "a list": b"[]",
    "empty": b"{}",
    "lists": _in_every_field(["x"]),
    "objects": _in_every_field({"x": "y"}),
    "numbers": _in_every_field(7),
    "nulls": _in_every_field(None),
    "booleans": _in_every_field(True),
    "lone surrogates": b'{"text": "\\ud83d", "nickname": "\\ud83d", "name": "\\ud83d"}',
    "deep lists": _repeat("["),
    "closed deep lists": b"[" * (MAX_BODY_BYTES // 2) + b"]" * (MAX_BODY_BYTES // 2),
    "deep objects": _repeat('{"a":'),
    "a deep field": b'{"text":'
    + b"[" * (MAX_BODY_BYTES // 2 - 9)
    + b"]" * (MAX_BODY_BYTES // 2 - 9)
    + b"}",
    "many fields": json.dumps({f"{number}": 0 for number in range(6_000)}).encode(),
    "one field many times": _repeat('"text":[],', "{", '"a":0}'),
    "many items": _repeat("0,", "[", "0]"),
    "a list of objects": _repeat("{},", "[", "{}]"),
    "a long number": _repeat("9", '{"text":', "}"),
    "a long fraction": _repeat("9", '{"text":0.', "}"),
    "a large exponent": b'{"text":1e999999999}',
    "NaN": b'{"text":NaN}',
    "a long field": _repeat("x", '{"', '":0}'),
    "a long text": _repeat("x", '{"text":"', '"}'),
    "escapes": _repeat("a\\u0301", '{"text":"', '"}'),
    "a long name": _repeat("\\u1100", '{"name":"', '"}'),
    "a long nickname": _repeat("\\u1f468\\u200d", '{"nickname":"', '"}'),
    "a long phrase": _repeat("\\ufdfa", '{"nickname":"x","secret_phrase":"', '"}'),
    "a long duration": _repeat("9", '{"name":"x","message_ttl":"', 'h"}'),
    "a long URL": _repeat(")", '{"text":"http://x', '"}'),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ApiClient]:
    """Return one client for all tests: what is refused changes nothing."""
    folder = tmp_path_factory.mktemp("data")
    async with running_app(folder, FakeClock()) as web, api_client(web) as http:
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        await ann.open("night train")
        yield ann


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("call", _CALLS, ids=" ".join)
async def test_malformed_body_is_refused_without_blocking(
    ann: ApiClient, call: tuple[str, str], body: bytes
) -> None:
    method, path = call
    headers = {"content-type": "application/json"}
    results = []

    async def ask() -> None:
        response = await ann.call(method, path, content=body, headers=headers)
        results.append(
            (response.status_code, response.headers["content-type"], len(response.content))
        )

    assert await longest_step(ask) < MOST
    for status, kind, size in results:
        assert 400 <= status < 500
        assert kind == "application/problem+json"
        assert size < 2_000, "the response repeats the request"


@pytest.mark.parametrize("name", ["query", "cursor", "limit", "after", "before"])
@pytest.mark.parametrize("value", ["x", "-1", "9" * 5_000, "%00", "é" * 4_000, "\u0301" * 6_000])
async def test_malformed_query_is_answered_without_blocking(
    ann: ApiClient, name: str, value: str
) -> None:
    for path in ("/rooms", "/rooms/night-train/messages", f"/rooms/{'x' * 4_000}"):

        async def ask(path: str = path) -> None:
            response = await ann.get(path, params={name: value})
            assert response.status_code < 500

        assert await longest_step(ask) < MOST
