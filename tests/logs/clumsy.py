"""The program as an operator starts it, with parts that fail and quote whatever they were told.

`CARELESS=1` leaves the log as programs have it that take no care: the control of the search.
"""

import asyncio
import logging
import os
import threading
import warnings

from fastapi import FastAPI, Request
from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from anonchat import Event, Settings
from anonchat.api.application import ApiMount
from pages import server
from pages.frame import page

_library = logging.getLogger("some.package")
_create_app = server.create_app


def create_clumsy_app(settings: Settings) -> FastAPI:
    """Build the application, and what fails in it."""
    web = _create_app(settings)
    (mount,) = (route for route in web.routes if isinstance(route, ApiMount))
    mount.app.state.chat.bus.subscribe(_fail_at_event)

    @page("/broken")
    async def broken(request: Request) -> None:
        raise RuntimeError(_quote(request))

    @page("/clumsy")
    async def clumsy(request: Request) -> None:
        told = _quote(request)
        ui.element("div").on("click", lambda happened: _fail_at_click(happened, told))

    @web.get("/very-broken")
    async def very_broken(request: Request) -> None:
        told = _quote(request)
        _library.error(f"could not serve {told}")
        _library.warning("could not serve %s", told)
        _library.error("line one\n%s\x1b[31m\u2028forged", told, extra={"told": told})
        _library.error(RuntimeError(told))
        logging.getLogger("anonchat").info("one %s and no other", told, told)  # a mistake of ours
        warnings.warn(told, stacklevel=1)
        asyncio.get_running_loop().call_exception_handler({"message": told, "future": told})
        asyncio.get_running_loop().call_soon(_fail, told)
        threading.Thread(target=_fail, args=(told,), name=told).start()
        background_tasks.create(_fail_later(told), name=told)
        del _FailsAtItsEnd(told).told  # nobody keeps it: it goes at once
        try:
            try:
                raise ValueError(told)
            except ValueError as error:
                raise ExceptionGroup(told, [error, KeyError(told)]) from error
        except ExceptionGroup as group:
            group.add_note(told)
            raise

    web.router.routes.insert(0, web.router.routes.pop())  # NiceGUI would answer for it
    return web


class _FailsAtItsEnd:
    def __init__(self, told: str) -> None:
        self.told = self.last = told

    def __del__(self) -> None:
        raise RuntimeError(self.last)


def _quote(request: Request) -> str:
    return f"{request.url} {request.headers.raw!r} {request.cookies} {request.client}"


async def _fail_at_event(event: Event) -> None:
    raise RuntimeError(f"cannot bear {event!r}")


def _fail_at_click(happened: GenericEventArguments, told: str) -> None:
    raise RuntimeError(f"{happened!r} {told}")


def _fail(told: str) -> None:
    raise RuntimeError(told)


async def _fail_later(told: str) -> None:
    raise RuntimeError(told)


def _take_no_care(_settings: Settings) -> None:
    logging.basicConfig(level=logging.DEBUG)
    for name in [*logging.root.manager.loggerDict]:
        logging.getLogger(name).setLevel(logging.NOTSET)


if __name__ == "__main__":
    server.create_app = create_clumsy_app
    if os.environ.get("CARELESS"):
        server.set_up_logs = _take_no_care
    server.serve()
