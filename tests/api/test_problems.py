"""Errors are answered with problem documents that reveal no internals."""

from collections.abc import AsyncIterator

import pytest

from anonchat import Chat, ChatError, errors
from anonchat.api.problems import BY_ERROR, PROBLEMS
from tests.api.api_client import ApiClient

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
async def test_invalid_json_body_is_refused(anonymous: ApiClient, body: bytes) -> None:
    response = await anonymous.call("POST", "/visitors", content=body, headers=JSON)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/api/v1/problems/invalid-request"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "x", ""])
async def test_body_with_another_content_type_is_refused(anonymous: ApiClient, kind: str) -> None:
    response = await anonymous.call(
        "POST", "/visitors", content=b'{"nickname": "Bob"}', headers={"Content-Type": kind}
    )
    assert (response.status_code, response.json()["status"]) == (422, 422)


async def test_validation_problem_lists_the_errors(anonymous: ApiClient) -> None:
    response = await anonymous.call("POST", "/visitors", json={"nick": "Bob"})
    assert response.json() == {
        "type": "/api/v1/problems/invalid-request",
        "title": "The request is invalid",
        "status": 422,
        "detail": "Some fields are invalid: see `errors`.",
        "errors": [
            {"where": "body.nickname", "detail": "Field required"},
            {"where": "body.nick", "detail": "Extra inputs are not permitted"},
        ],
    }


async def test_validation_problem_is_limited_in_size(anonymous: ApiClient) -> None:
    sent = {"x" * 1_000 + str(number): 1 for number in range(60)}
    response = await anonymous.call("POST", "/visitors", json=sent)
    assert response.status_code == 422
    assert len(response.content) < 10_000


async def test_oversized_body_is_refused_with_and_without_content_length(
    ann: ApiClient, slug: str
) -> None:
    path = f"/rooms/{slug}/messages"
    text = "x" * 65_536
    with_length = await ann.call("POST", path, json={"text": text})
    without_length = await ann.call("POST", path, content=_chunks(text), headers=JSON)
    for response in (with_length, without_length):
        assert (response.status_code, response.json()["type"]) == (
            413,
            "/api/v1/problems/too-large",
        )
    fitting_body = b'{"text": "hi"' + b" " * (65_536 - 14) + b"}"
    accepted = await ann.call("POST", path, content=fitting_body, headers=JSON)
    assert accepted.status_code == 201


@pytest.mark.parametrize(
    "path", ["/nothing", "/rooms/", "/rooms/a/b/c", "/", "/docs/x", "/problems/x", "/a%0Ab"]
)
async def test_unknown_path_is_a_problem(anonymous: ApiClient, path: str) -> None:
    response = await anonymous.get(path)
    assert (response.status_code, response.json()["type"]) == (404, "/api/v1/problems/not-found")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/visitors", "POST"),
        ("/visitors/me", "DELETE, PATCH"),
        ("/rooms", "GET, POST"),
        ("/rooms/x", "DELETE, GET, PATCH"),
        ("/rooms/x/membership", "DELETE, PUT"),
        ("/rooms/x/messages", "GET, POST"),
        ("/rooms/x/messages/y", "DELETE, PATCH"),
        ("/rooms/x/events", "GET"),
    ],
)
async def test_unsupported_method_lists_the_allowed_ones(
    anonymous: ApiClient, path: str, allowed: str
) -> None:
    for method in ("LOCK", "OPTIONS", "TRACE", "BREW"):
        response = await anonymous.call(method, path)
        assert response.status_code == 405
        assert response.headers["allow"] == allowed
        assert response.json()["type"] == "/api/v1/problems/method-not-allowed"


async def test_internal_error_reveals_no_reason(
    ann: ApiClient, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(chat.memberships, "list_of_visitor", fail)
    response = await ann.http.send(
        ann.http.build_request(
            "GET", "/rooms/mine", headers={"Authorization": f"Bearer {ann.token}"}
        ),
        stream=True,
    )
    body = b"".join([chunk async for chunk in response.stream])
    with pytest.raises(RuntimeError):  # the server logs it
        await response.aclose()
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert b"/api/v1/problems/internal-error" in body
    assert b"secret" not in body


async def test_every_chat_error_has_a_problem() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    for kind in kinds - {ChatError}:
        assert not issubclass(kind, ChatError) or set(kind.__mro__) & set(BY_ERROR), kind
    assert len({problem.name for problem in PROBLEMS}) == len(set(PROBLEMS))
    assert len({problem.title for problem in PROBLEMS}) == len(set(PROBLEMS))


async def _chunks(text: str) -> AsyncIterator[bytes]:
    yield b'{"text": "'
    for start in range(0, len(text), 10_000):
        yield text[start : start + 10_000].encode()
    yield b'"}'
