"""The API as a mounted FastAPI application, with its OpenAPI schema and reference page."""

import re
from functools import lru_cache
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Match, Mount
from starlette.types import Scope

from ..chat import Chat
from ..plugins.host import PluginHost
from . import (
    commands,
    doors,
    events,
    members,
    messages,
    rooms,
    transcripts,
    visitors,
)
from .call_limits import CallLimitsMiddleware
from .problem_responses import MEDIA_TYPE, ProblemDocument, add_problem_handlers
from .problems import NOT_FOUND, PROBLEMS, ProblemException
from .reference import REFERENCE_POLICY, render_reference
from .streams import Streams

VERSION = "1.0.0"
_DESCRIPTION = """\
The chat as an API. Sign in with `POST /visitors`, keep the token, and send it with every call as
`Authorization: Bearer …`.

Times are RFC 3339 in UTC, durations are written `90s`, `10m`, `24h`, `7d`, and lists are paginated:
`{"items": […], "next": …}`. Errors are problem documents (RFC 9457) whose `type` never changes. A
request body has 64 KiB at most.
"""
_PREFIX = "/api/v1"
_CACHED_REFERENCES = 8  # without `base_url`, one page per host name
_SCHEMA_PREFIX = "#/components/schemas/"
_MODULES = (visitors, rooms, doors, members, messages, commands, transcripts, events)
_TAGS = [
    {"name": module.__name__.rpartition(".")[2], "description": module.__doc__}
    for module in _MODULES
]


class ApiMount(Mount):
    """The API mounted at `/api/v1`; its streams must be stopped before the server."""

    def __init__(self, app: FastAPI, streams: Streams) -> None:
        super().__init__(_PREFIX, app)
        # `.` must match line breaks, so that such paths get a problem document.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)
        self.streams = streams

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match requests under the prefix, and for the prefix without a trailing slash."""
        if scope["type"] == "http" and scope["path"] == _PREFIX:
            scope = {**scope, "path": f"{_PREFIX}/"}
        return super().matches(scope)


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI schema, with problem documents instead of FastAPI's own errors."""
        if self.openapi_schema is None:
            schema = super().openapi()
            schemas = schema["components"]["schemas"]
            schemas["Problem"] = ProblemDocument.model_json_schema(
                ref_template=f"{_SCHEMA_PREFIX}{{model}}"
            )
            schemas.update(schemas["Problem"].pop("$defs"))
            for item in schema["paths"].values():
                for operation in item.values():
                    responses = operation["responses"]
                    if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
                        responses.pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
        return cast(dict[str, Any], self.openapi_schema)


def api_routes(chat: Chat, plugins: PluginHost) -> ApiMount:
    """Return the API, mounted at `/api/v1`."""
    streams = Streams(
        settings=chat.settings,
        bus=chat.bus,
        clock=chat.clock,
        metrics=chat.metrics,
        find_room=chat.room_directory.summary,
    )
    chat.open_pages.add_source(streams.list_visitors)
    return ApiMount(_build_app(chat, plugins, streams), streams)


def _build_app(chat: Chat, plugins: PluginHost, streams: Streams) -> FastAPI:
    app = _Api(
        routes=[route for module in _MODULES for route in module.routes.routes],
        title=chat.settings.name,
        version=VERSION,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.chat, app.state.plugins, app.state.streams = chat, plugins, streams
    app.add_middleware(CallLimitsMiddleware, chat=chat)
    add_problem_handlers(app)

    @lru_cache(maxsize=_CACHED_REFERENCES)
    def render(base: str) -> str:
        return render_reference(app.openapi(), base=base)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse({**app.openapi(), "servers": [{"url": _api_path(request)}]})

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        site = chat.settings.base_url.removesuffix(chat.settings.base_path)
        base = (site or str(request.url.replace(path="", query=""))) + _api_path(request)
        return HTMLResponse(render(base), headers={"Content-Security-Policy": REFERENCE_POLICY})

    @app.get("/problems/{name}", include_in_schema=False)
    async def problem(name: str) -> RedirectResponse:
        if name not in {problem.name for problem in PROBLEMS}:
            raise ProblemException(NOT_FOUND)
        return RedirectResponse(f"../docs#{name}", 303)

    return app


def _api_path(request: Request) -> str:
    """Return the path of the API, below that of the site (`X-Forwarded-Prefix`, checked)."""
    return request.headers.get("x-forwarded-prefix", "") + _PREFIX
