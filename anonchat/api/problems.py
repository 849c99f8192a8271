"""Error responses as `application/problem+json` (RFC 9457) with stable types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from .. import errors

MEDIA_TYPE = "application/problem+json"
PATH = "/api/v1/problems/"

_FIELD_ERRORS_MAX = 20
_FIELD_ERROR_CHARACTERS_MAX = 200
_CLIENT_CLOSED_REQUEST = 499


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem type. `name` is the end of its URI, `meaning` its text in the API reference."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        """The URI of the problem type: the same on every server; leads to the API reference."""
        return PATH + self.name


INVALID_REQUEST = Problem(
    "invalid-request",
    422,
    "The request is invalid",
    "A field or parameter is missing, unknown or of the wrong type (see `errors`), or the body is "
    "not JSON.",
)
NOT_SUPPORTED = Problem(
    "not-supported", 422, "Not supported", "This version does not support rooms with a password."
)
INVALID_NICKNAME = Problem(
    "invalid-nickname",
    422,
    "The nickname is invalid",
    "It is empty, too long or reserved, mixes alphabets, or resembles a badge: see `detail`.",
)
INVALID_PHRASE = Problem(
    "invalid-phrase",
    422,
    "The secret phrase is invalid",
    "It is too short or too long, or, for a nickname that is free, too easy to guess.",
)
INVALID_ROOM = Problem(
    "invalid-room",
    422,
    "The room is invalid",
    "Its name, its topic or one of its lifetimes is out of bounds.",
)
INVALID_MESSAGE = Problem(
    "invalid-message", 422, "The message is invalid", "Its text is empty or too long."
)
MESSAGE_EXPIRED = Problem(
    "message-expired",
    410,
    "The message has expired",
    "It was posted before with this `dedup_id`, and has expired or was deleted since.",
)
NICKNAME_TAKEN = Problem(
    "nickname-taken",
    409,
    "The nickname is taken",
    "A visitor has it, or one that looks like it, with another secret phrase or none.",
)
ROOM_NAME_TAKEN = Problem(
    "room-name-taken",
    409,
    "The room name is taken",
    "A public room has it, or a name that looks the same; `detail` says which.",
)
UNKNOWN_VISITOR = Problem(
    "unknown-visitor",
    401,
    "The token is missing or invalid",
    "There is no token, it is wrong, or its visitor was deleted or has expired. Sign in again.",
)
PUZZLE_UNSOLVED = Problem(
    "puzzle-unsolved",
    403,
    "A proof of work is required",
    "Too many sign in just now, here or from your network. Find a number N such that the SHA-256 "
    "of the text `<challenge>:N` begins with as many zero bits as `puzzle.bits` says, and send "
    "that text as `solution`. A challenge is valid once, for ten minutes.",
)
NOT_A_MEMBER = Problem(
    "not-a-member", 403, "Only members may do this", "Join the room first: `PUT …/membership`."
)
NOT_ALLOWED = Problem(
    "not-allowed",
    403,
    "You may not do this",
    "A message may be deleted by its author and the room's owner, a room by its owner only.",
)
NOT_FOUND = Problem(
    "not-found", 404, "Not found", "There is no such room, message or path, or it has ended."
)
METHOD_NOT_ALLOWED = Problem(
    "method-not-allowed", 405, "Method not allowed", "The header `Allow` lists the methods."
)
TOO_LARGE = Problem(
    "too-large", 413, "The request is too large", "A request body has 64 KiB at most."
)
LIMIT_REACHED = Problem(
    "limit-reached",
    429,
    "A limit is reached",
    "There are too many rooms, members, visitors, streams or waiting posts; `detail` says which. "
    "Try again later.",
)
TOO_OFTEN = Problem(
    "too-often",
    429,
    "Too many requests",
    "You post, join, create rooms, sign in or call more often than allowed, or too many secret "
    "phrases were tried for this nickname, by you or others. `Retry-After` is the number of "
    "seconds to wait.",
)
INTERNAL = Problem(
    "internal-error",
    500,
    "Internal error",
    "The error was logged. A retry with the same `dedup_id` is safe.",
)
UNAVAILABLE = Problem(
    "unavailable",
    503,
    "Temporarily unavailable",
    "The disk may be full, or the database busy. Try again in a moment.",
)

_BY_ERROR: Mapping[type[errors.ChatError], Problem] = {
    errors.NicknameTaken: NICKNAME_TAKEN,
    errors.InvalidNickname: INVALID_NICKNAME,
    errors.InvalidPhrase: INVALID_PHRASE,
    errors.RoomNameTaken: ROOM_NAME_TAKEN,
    errors.InvalidRoom: INVALID_ROOM,
    errors.InvalidMessage: INVALID_MESSAGE,
    errors.MessageExpired: MESSAGE_EXPIRED,
    errors.NotFound: NOT_FOUND,
    errors.NotAMember: NOT_A_MEMBER,
    errors.NotAllowed: NOT_ALLOWED,
    errors.UnknownVisitor: UNKNOWN_VISITOR,
    errors.ChallengeUnsolved: PUZZLE_UNSOLVED,
    errors.RateLimited: TOO_OFTEN,
    errors.LimitReached: LIMIT_REACHED,
    errors.Unavailable: UNAVAILABLE,
}
_COMMON = (TOO_OFTEN, INTERNAL, UNAVAILABLE)
_RETRY_AFTER = {
    "Retry-After": {
        "description": "With `too-often`: the number of seconds to wait before a retry.",
        "schema": {"type": "integer"},
    }
}
_BY_STATUS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 413: TOO_LARGE}

PROBLEMS = (
    *_BY_ERROR.values(),
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    INVALID_REQUEST,
    NOT_SUPPORTED,
    INTERNAL,
)
"""All problem types of the API."""


class ProblemException(Exception):
    """A request refused by the API layer itself."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(detail or problem.meaning)
        self.problem = problem


class FieldError(BaseModel):
    """One invalid field or parameter of a request."""

    where: str = Field(examples=["body.nickname"])
    detail: str = Field(examples=["Field required"])


class PosedChallenge(BaseModel):
    """The proof-of-work challenge to solve."""

    challenge: str = Field(examples=["1900000000.c2f1d3.9a8b7c"])
    bits: int = Field(examples=[18])


class ProblemDocument(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="The URI of the problem type.", examples=[NOT_A_MEMBER.type])
    title: str = Field(examples=[NOT_A_MEMBER.title])
    status: int = Field(examples=[NOT_A_MEMBER.status])
    detail: str = Field(examples=["Only members can do that. Join the room first."])
    errors: list[FieldError] | None = Field(
        default=None, description="With `invalid-request`: the invalid fields."
    )
    puzzle: PosedChallenge | None = Field(
        default=None, description="With `puzzle-unsolved`: the challenge to solve."
    )


def problem_responses(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these problems, and of those common to all endpoints."""
    by_status: dict[int, list[Problem]] = {}
    for problem in (*problems, *_COMMON):
        by_status.setdefault(problem.status, []).append(problem)
    return {
        status: {
            "description": " · ".join(f"`{problem.name}`: {problem.title}" for problem in group),
            "headers": _RETRY_AFTER if TOO_OFTEN in group else {},
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        problem.name: {"value": _describe(problem, problem.meaning)}
                        for problem in group
                    },
                }
            },
        }
        for status, group in by_status.items()
    }


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error with a problem document, without internal details."""

    @app.exception_handler(errors.ChatError)
    async def on_chat_error(_request: Request, error: errors.ChatError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(ProblemException)
    async def on_problem(_request: Request, error: ProblemException) -> JSONResponse:
        return _answer(error.problem, str(error))

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [
            {"where": _clip(".".join(map(str, field["loc"]))), "detail": _clip(field["msg"])}
            for field in error.errors()[:_FIELD_ERRORS_MAX]
        ]
        return _answer(INVALID_REQUEST, "Some fields are invalid: see `errors`.", errors=fields)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        problem = _BY_STATUS.get(error.status_code, INVALID_REQUEST)
        headers = {"Allow": _allowed_methods(request)} if problem is METHOD_NOT_ALLOWED else {}
        detail = "The body cannot be read." if error.status_code == 400 else problem.meaning
        return _answer(problem, detail, headers=headers)

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)  # nobody reads it

    @app.exception_handler(Exception)
    async def on_exception(_request: Request, _error: Exception) -> JSONResponse:
        return _answer(INTERNAL, INTERNAL.meaning)


def problem_response(error: errors.ChatError) -> JSONResponse:
    """Return the problem response of a core error."""
    kind = next(base for base in type(error).__mro__ if base in _BY_ERROR)
    headers = {"Retry-After": str(error.details["seconds"])} if kind is errors.RateLimited else {}
    puzzle = {"puzzle": error.details} if kind is errors.ChallengeUnsolved else {}
    return _answer(_BY_ERROR[kind], str(error), headers=headers, **puzzle)


def _answer(
    problem: Problem,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    content = _describe(problem, detail) | members
    headers = dict(headers or {})
    if problem is UNKNOWN_VISITOR:
        headers["WWW-Authenticate"] = 'Bearer realm="anonchat"'
    return JSONResponse(content, problem.status, headers=headers, media_type=MEDIA_TYPE)


def _describe(problem: Problem, detail: str) -> dict[str, Any]:
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }


def _clip(text: str) -> str:
    """Shorten a text that may hold client input, and make it valid UTF-8."""
    return text[:_FIELD_ERROR_CHARACTERS_MAX].encode(errors="replace").decode()


def _allowed_methods(request: Request) -> str:
    """Return the methods of all routes at this path; a route knows only its own."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(methods))
