"""The routes of plugins: errors of the chat are answered as by the API."""

from collections.abc import AsyncIterator, Callable, Iterable

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..errors import ChatError
from ..plugins.errors import PluginFailed
from ..plugins.invocation import log_error
from ..plugins.plugin import Plugin
from .problem_responses import problem_response

_PASSED_ON = (ChatError, HTTPException, RequestValidationError, ClientDisconnect)


def add_plugin_routes(web: FastAPI, plugins: Iterable[Plugin]) -> None:
    """Serve the routes of plugins under `/plugins/{name}`."""

    @web.exception_handler(ChatError)
    async def on_chat_error(_request: Request, error: ChatError) -> JSONResponse:
        return problem_response(error)

    for plugin in plugins:
        if plugin.has_routes:
            guard = Depends(_guard(plugin))
            web.include_router(
                plugin.router, prefix=f"/plugins/{plugin.name}", dependencies=[guard]
            )


def _guard(plugin: Plugin) -> Callable[[Request], AsyncIterator[None]]:
    """Return a dependency that logs what a route raises, but errors of the chat and of HTTP."""

    async def guard(request: Request) -> AsyncIterator[None]:
        try:
            yield
        except _PASSED_ON:
            raise
        except Exception as error:
            what = f"route {request.method} {request.scope['route'].path}"
            log_error(plugin.name, plugin.file, what, error)
            raise PluginFailed from error

    return guard
