"""Bodies of the wrong shape, of every kind and up to the largest: refused, and quickly."""

import json

import pytest

from tests.api.program import Program
from tests.effort import MOST, longest_step

ALL = 65_000
_CALLS = [("POST", "/visitors"), ("POST", "/rooms"), ("POST", "/rooms/night-train/messages")]
_FIELDS = ("nickname", "name", "text", "secret_phrase", "topic", "dedup_id", "message_ttl")


def _repeat(piece: str, before: str = "", after: str = "") -> bytes:
    return (before + piece * ((ALL - len(before + after)) // len(piece)) + after).encode()


def _in_every_field(value: object) -> bytes:
    return json.dumps(dict.fromkeys(_FIELDS, value)).encode()


WRONG = {
    "nothing": b"",
    "no text": b"\xff\xfe" * 1_000,
    "half": b'{"text": "x',
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
    "half a pair": b'{"text": "\\ud83d", "nickname": "\\ud83d", "name": "\\ud83d"}',
    "deep lists": _repeat("["),
    "deep lists that close": b"[" * (ALL // 2) + b"]" * (ALL // 2),
    "deep objects": _repeat('{"a":'),
    "a deep field": b'{"text":' + b"[" * (ALL // 2 - 9) + b"]" * (ALL // 2 - 9) + b"}",
    "many fields": json.dumps({f"{number}": 0 for number in range(6_000)}).encode(),
    "one field many times": _repeat('"text":[],', "{", '"a":0}'),
    "many items": _repeat("0,", "[", "0]"),
    "a list of objects": _repeat("{},", "[", "{}]"),
    "a long number": _repeat("9", '{"text":', "}"),
    "a long fraction": _repeat("9", '{"text":0.', "}"),
    "a far number": b'{"text":1e999999999}',
    "no number": b'{"text":NaN}',
    "a long field": _repeat("x", '{"', '":0}'),
    "a long text": _repeat("x", '{"text":"', '"}'),
    "escapes": _repeat("a\\u0301", '{"text":"', '"}'),
    "a long name": _repeat("\\u1100", '{"name":"', '"}'),
    "a long nickname": _repeat("\\u1f468\\u200d", '{"nickname":"', '"}'),
    "a long phrase": _repeat("\\ufdfa", '{"nickname":"x","secret_phrase":"', '"}'),
    "a long duration": _repeat("9", '{"name":"x","message_ttl":"', 'h"}'),
    "a long address": _repeat(")", '{"text":"http://x', '"}'),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("call", _CALLS, ids=" ".join)
async def test_a_body_of_the_wrong_shape_is_refused_and_holds_nobody_up(
    ann: Program, slug: str, call: tuple[str, str], body: bytes
) -> None:
    method, path = call
    headers = {"content-type": "application/json"}
    refusals = []

    async def ask() -> None:
        answer = await ann.call(method, path, content=body, headers=headers)
        refusals.append((answer.status_code, answer.headers["content-type"], len(answer.content)))

    assert await longest_step(ask) < MOST
    for status, kind, size in refusals:
        assert 400 <= status < 500
        assert kind == "application/problem+json"
        assert size < 2_000, "what was sent is not sent back"


@pytest.mark.parametrize("name", ["query", "cursor", "limit", "after", "before"])
@pytest.mark.parametrize("value", ["x", "-1", "9" * 5_000, "%00", "é" * 4_000, "\u0301" * 6_000])
async def test_so_is_a_question(ann: Program, slug: str, name: str, value: str) -> None:
    for path in ("/rooms", f"/rooms/{slug}/messages", f"/rooms/{'x' * 4_000}"):

        async def ask(path: str = path) -> None:
            answer = await ann.get(path, params={name: value})
            assert answer.status_code < 500

        assert await longest_step(ask) < MOST
