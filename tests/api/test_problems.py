"""Whatever goes wrong is answered with a problem document, and tells nothing that it should not."""

from collections.abc import AsyncIterator

import pytest

from anonchat import Chat, ChatError, errors
from anonchat.api.problems import _OF_ERRORS, PROBLEMS
from tests.api.program import Program

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe",
        b'{"nickname": "Bob", "\\ud800": 1}',
        b'{"nickname": NaN}',
        b'{"nickname": ' + b"9" * 5_000 + b"}",
        b"[" * 50_000,
        b'{"nickname": ' * 4_000,
        b'{"nickname": "Bob", "nickname": 7}',
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(stranger: Program, body: bytes) -> None:
    answer = await stranger.call("POST", "/visitors", content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/api/v1/problems/invalid-request"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", ""])
async def test_a_body_that_is_not_said_to_be_json_is_refused(stranger: Program, kind: str) -> None:
    answer = await stranger.call(
        "POST", "/visitors", content=b'{"nickname": "Bob"}', headers={"Content-Type": kind}
    )
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


async def test_what_is_wrong_is_named(stranger: Program) -> None:
    answer = await stranger.call("POST", "/visitors", json={"nick": "Bob"})
    assert answer.json() == {
        "type": "/api/v1/problems/invalid-request",
        "title": "The request is not as this call expects it",
        "status": 422,
        "detail": "See `errors` for what is wrong where.",
        "errors": [
            {"where": "body.nickname", "detail": "Field required"},
            {"where": "body.nick", "detail": "Extra inputs are not permitted"},
        ],
    }


async def test_not_more_is_answered_than_was_asked(stranger: Program) -> None:
    sent = {"x" * 1_000 + str(number): 1 for number in range(60)}
    answer = await stranger.call("POST", "/visitors", json=sent)
    assert answer.status_code == 422
    assert len(answer.content) < 10_000


async def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(
    ann: Program, slug: str
) -> None:
    path = f"/rooms/{slug}/messages"
    text = "x" * 65_536
    told = await ann.call("POST", path, json={"text": text})
    untold = await ann.call("POST", path, content=_chunks(text), headers=JSON)
    for answer in (told, untold):
        assert (answer.status_code, answer.json()["type"]) == (413, "/api/v1/problems/too-large")
    fitting = b'{"text": "hi"' + b" " * (65_536 - 14) + b"}"
    fits = await ann.call("POST", path, content=fitting, headers=JSON)
    assert fits.status_code == 201


@pytest.mark.parametrize(
    "path", ["/nothing", "/rooms/", "/rooms/a/b/c", "/", "/docs/x", "/problems/x", "/a%0Ab"]
)
async def test_a_call_that_is_not_there_is_a_problem_too(stranger: Program, path: str) -> None:
    answer = await stranger.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/v1/problems/not-found")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/visitors", "POST"),
        ("/visitors/me", "DELETE"),
        ("/rooms", "GET, POST"),
        ("/rooms/x", "DELETE, GET"),
        ("/rooms/x/membership", "DELETE, PUT"),
        ("/rooms/x/messages", "GET, POST"),
        ("/rooms/x/messages/y", "DELETE"),
        ("/rooms/x/events", "GET"),
    ],
)
async def test_a_method_that_is_not_there_is_told_which_are(
    stranger: Program, path: str, allowed: str
) -> None:
    for method in ("PATCH", "OPTIONS", "TRACE", "BREW"):
        answer = await stranger.call(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == allowed
        assert answer.json()["type"] == "/api/v1/problems/method-not-allowed"


async def test_what_breaks_here_tells_nothing_of_why(
    ann: Program, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(chat.memberships, "list_mine", breaks)
    answer = await ann.http.send(
        ann.http.build_request(
            "GET", "/rooms/mine", headers={"Authorization": f"Bearer {ann.token}"}
        ),
        stream=True,
    )
    body = b"".join([chunk async for chunk in answer.stream])
    with pytest.raises(RuntimeError):  # it is the server's to log
        await answer.aclose()
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"/api/v1/problems/internal-error" in body
    assert b"secret" not in body


async def test_every_error_of_the_chat_is_a_problem() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    for kind in kinds - {ChatError}:
        assert not issubclass(kind, ChatError) or set(kind.__mro__) & set(_OF_ERRORS), kind
    assert len({problem.name for problem in PROBLEMS}) == len(set(PROBLEMS))
    assert len({problem.title for problem in PROBLEMS}) == len(set(PROBLEMS))


async def _chunks(text: str) -> AsyncIterator[bytes]:
    yield b'{"text": "'
    for start in range(0, len(text), 10_000):
        yield text[start : start + 10_000].encode()
    yield b'"}'
