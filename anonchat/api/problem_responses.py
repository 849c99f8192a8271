"""Error responses as `application/problem+json` (RFC 9457) with stable types."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from .. import errors
from . import problems
from .problems import Problem, ProblemException

MEDIA_TYPE = "application/problem+json"

_FIELD_ERRORS_MAX = 20
_FIELD_ERROR_CHARACTERS_MAX = 200
_CLIENT_CLOSED_REQUEST = 499
_COMMON = (problems.TOO_OFTEN, problems.INTERNAL, problems.UNAVAILABLE)
_RETRY_AFTER = {
    "Retry-After": {
        "description": "With `too-often` and `too-soon`: the number of seconds to wait.",
        "schema": {"type": "integer"},
    }
}
_BY_STATUS = {404: problems.NOT_FOUND, 405: problems.METHOD_NOT_ALLOWED, 413: problems.TOO_LARGE}


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

    type: str = Field(
        description="The URI of the problem type.", examples=[problems.NOT_A_MEMBER.type]
    )
    title: str = Field(examples=[problems.NOT_A_MEMBER.title])
    status: int = Field(examples=[problems.NOT_A_MEMBER.status])
    detail: str = Field(examples=["Only members can do that. Join the room first."])
    errors: list[FieldError] | None = Field(
        default=None, description="With `invalid-request`: the invalid fields."
    )
    puzzle: PosedChallenge | None = Field(
        default=None, description="With `puzzle-unsolved`: the challenge to solve."
    )
    warnings: list[str] | None = Field(
        default=None, description="With `needs-confirmation`: what is doubtful."
    )
    muted_until: str | None = Field(
        default=None,
        description="With `muted`: when it ends; in the year 9999 if the room ends before.",
        examples=["2030-01-01T12:10:00Z"],
    )


def problem_responses(*specific: Problem) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these problems, and of those common to all endpoints."""
    by_status: dict[int, list[Problem]] = {}
    for problem in (*specific, *_COMMON):
        by_status.setdefault(problem.status, []).append(problem)
    return {
        status: {
            "description": " · ".join(f"`{problem.name}`: {problem.title}" for problem in group),
            "headers": _RETRY_AFTER if status == 429 else {},
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
        return _answer(
            problems.INVALID_REQUEST, "Some fields are invalid: see `errors`.", errors=fields
        )

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        problem = _BY_STATUS.get(error.status_code, problems.INVALID_REQUEST)
        headers = (
            {"Allow": _allowed_methods(request)} if problem is problems.METHOD_NOT_ALLOWED else {}
        )
        detail = "The body cannot be read." if error.status_code == 400 else problem.meaning
        return _answer(problem, detail, headers=headers)

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)  # nobody reads it

    @app.exception_handler(Exception)
    async def on_exception(_request: Request, _error: Exception) -> JSONResponse:
        return _answer(problems.INTERNAL, problems.INTERNAL.meaning)


def problem_response(error: errors.ChatError) -> JSONResponse:
    """Return the problem response of a core error."""
    kind = next(base for base in type(error).__mro__ if base in problems.BY_ERROR)
    headers = {}
    if isinstance(error, errors.RateLimited):
        headers = {"Retry-After": str(error.details["seconds"])}
    members: dict[str, object] = {}
    if kind is errors.ChallengeUnsolved:
        members = {"puzzle": error.details}
    elif isinstance(error, errors.Muted):
        members = {"muted_until": error.until.isoformat().replace("+00:00", "Z")}
    elif kind is errors.NeedsConfirmation:
        members = error.details
    return _answer(problems.BY_ERROR[kind], str(error), headers=headers, **members)


def _answer(
    problem: Problem,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> JSONResponse:
    content = _describe(problem, detail) | members
    headers = dict(headers or {})
    if problem is problems.UNKNOWN_VISITOR:
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
