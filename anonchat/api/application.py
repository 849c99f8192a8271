"""The API as an application of its own: what it is made of, and how it describes itself."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse

from ..chat import Chat
from . import events, messages, rooms, visitors
from .problems import (
    MEDIA_TYPE,
    NOT_FOUND,
    PROBLEMS,
    ProblemDocument,
    Refusal,
    answer_with_problems,
)
from .reference import draw_reference
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
_SHAPES = "#/components/schemas/"
_PARTS = (visitors, rooms, messages, events)
_TAGS = [{"name": part.__name__.rpartition(".")[2], "description": part.__doc__} for part in _PARTS]


def api_routes(chat: Chat) -> FastAPI:
    """Return the API, to be mounted at `/api/v1`; `state.streams` has to be stopped with it."""
    web = FastAPI(
        routes=[route for part in _PARTS for route in part.routes.routes],
        title="anonchat",
        version=VERSION,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        servers=[{"url": "/api/v1"}],
        root_path_in_servers=False,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    web.state.chat = chat
    web.state.streams = Streams(settings=chat.settings, bus=chat.bus, clock=chat.clock)
    web.add_middleware(SizeLimit)
    answer_with_problems(web)
    web.openapi = lambda: _describe(web)  # type: ignore[method-assign]  # FastAPI's own way

    @web.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        site = chat.settings.base_url or str(request.url.replace(path="", query=""))
        return draw_reference(web.openapi(), base=f"{site}/api/v1")

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
