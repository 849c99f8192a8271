"""The API as an application of its own: what it is made of, and how it describes itself."""

import re
from functools import lru_cache
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.routing import Match, Mount
from starlette.types import Scope

from ..chat import Chat
from . import events, messages, rooms, visitors
from .call_limits import CallLimits
from .problems import (
    MEDIA_TYPE,
    NOT_FOUND,
    PROBLEMS,
    ProblemDocument,
    Refusal,
    answer_with_problems,
)
from .reference import REFERENCE_POLICY, draw_reference
from .size import SizeLimit
from .streams import Streams

VERSION = "1.0.0"
_DESCRIPTION = """\
Everything a program needs to take part. Come in with `POST /visitors`, keep the token, and send it
with every call as `Authorization: Bearer …`.

Times are RFC 3339 in UTC, durations are written `90s`, `10m`, `24h`, `7d`, and lists come in pages
`{"items": […], "next": …}`. Whatever is refused is answered with a problem document (RFC 9457)
whose `type` never changes; requests have 64 KiB at most.
"""
_PLACE = "/api/v1"
_SITES_KEPT = 8  # without `base_url` a site has an address for each name that it is called by
_SHAPES = "#/components/schemas/"
_PARTS = (visitors, rooms, messages, events)
_TAGS = [{"name": part.__name__.rpartition(".")[2], "description": part.__doc__} for part in _PARTS]


class ApiMount(Mount):
    """The API in its place; its streams have to be stopped before the server is."""

    def __init__(self, web: FastAPI, streams: Streams) -> None:
        super().__init__(_PLACE, web)
        # An address with a line break in it is none, and is told so by us.
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)
        self.streams = streams

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for us, as one for the bare address is too."""
        if scope["type"] == "http" and scope["path"] == _PLACE:
            scope = {**scope, "path": f"{_PLACE}/"}
        return super().matches(scope)


def api_routes(chat: Chat) -> ApiMount:
    """Return everything under `/api/v1`."""
    streams = Streams(settings=chat.settings, bus=chat.bus, clock=chat.clock, metrics=chat.metrics)
    chat.open_screens.add_source(streams.list_visitors)
    return ApiMount(_build(chat, streams), streams)


def _build(chat: Chat, streams: Streams) -> FastAPI:
    web = FastAPI(
        routes=[route for part in _PARTS for route in part.routes.routes],
        title="anonchat",
        version=VERSION,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        servers=[{"url": _PLACE}],
        root_path_in_servers=False,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    web.state.chat, web.state.streams = chat, streams
    web.add_middleware(CallLimits, chat=chat)
    web.add_middleware(SizeLimit)
    answer_with_problems(web)
    web.openapi = lambda: _describe(web)  # type: ignore[method-assign]  # FastAPI's own way

    @lru_cache(maxsize=_SITES_KEPT)
    def draw(site: str) -> str:
        return draw_reference(web.openapi(), base=site + _PLACE)

    @web.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        site = chat.settings.base_url or str(request.url.replace(path="", query=""))
        return HTMLResponse(draw(site), headers={"Content-Security-Policy": REFERENCE_POLICY})

    @web.get("/problems/{name}", include_in_schema=False)
    async def problem(name: str) -> RedirectResponse:
        if name not in {problem.name for problem in PROBLEMS}:
            raise Refusal(NOT_FOUND, NOT_FOUND.meaning)
        return RedirectResponse(f"../docs#{name}", 303)

    return web


def _describe(web: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with our problems in place of FastAPI's own."""
    if web.openapi_schema is None:
        schema = get_openapi(
            title=web.title,
            version=web.version,
            description=web.description,
            routes=web.routes,
            tags=web.openapi_tags,
            servers=web.servers,
        )
        shapes = schema["components"]["schemas"]
        shapes["Problem"] = ProblemDocument.model_json_schema(ref_template=f"{_SHAPES}{{model}}")
        shapes.update(shapes["Problem"].pop("$defs"))
        for item in schema["paths"].values():
            for call in item.values():
                if MEDIA_TYPE not in call["responses"].get("422", {}).get("content", {}):
                    call["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            shapes.pop(name, None)
        web.openapi_schema = schema
    return web.openapi_schema
