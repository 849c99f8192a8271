"""The server, extended by parts that fail and quote visitor data in their errors.

With `UNFILTERED_LOG=1` the log is unfiltered, to check that the test finds data in it.
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
from main import main
from pages import server
from pages.layout import page

_library = logging.getLogger("some.package")
_create_app = server.create_app


def create_failing_app(settings: Settings) -> FastAPI:
    """Build the application and add failing pages, routes and listeners."""
    web = _create_app(settings)
    (mount,) = (route for route in web.routes if isinstance(route, ApiMount))
    mount.app.state.chat.bus.subscribe(_fail_at_event)

    @page("/broken")
    async def broken(request: Request) -> None:
        raise RuntimeError(_quote(request))

    @page("/failing")
    async def failing(request: Request) -> None:
        quoted = _quote(request)
        ui.element("div").on("click", lambda event: _fail_at_click(event, quoted))

    @web.get("/very-broken")
    async def very_broken(request: Request) -> None:
        quoted = _quote(request)
        _library.error(f"could not serve {quoted}")
        _library.warning("could not serve %s", quoted)
        _library.error("line one\n%s\x1b[31m\u2028forged", quoted, extra={"quoted": quoted})
        _library.error(RuntimeError(quoted))
        # more arguments than placeholders
        logging.getLogger("anonchat").info("one %s and no other", quoted, quoted)
        warnings.warn(quoted, stacklevel=1)
        asyncio.get_running_loop().call_exception_handler({"message": quoted, "future": quoted})
        asyncio.get_running_loop().call_soon(_fail, quoted)
        threading.Thread(target=_fail, args=(quoted,), name=quoted).start()
        background_tasks.create(_fail_later(quoted), name=quoted)
        del _FailsInFinalizer(quoted).text  # deleted at once
        try:
            try:
                raise ValueError(quoted)
            except ValueError as error:
                raise ExceptionGroup(quoted, [error, KeyError(quoted)]) from error
        except ExceptionGroup as group:
            group.add_note(quoted)
            raise

    web.router.routes.insert(0, web.router.routes.pop())  # before the routes of NiceGUI
    return web


class _FailsInFinalizer:
    def __init__(self, quoted: str) -> None:
        self.text = self.last = quoted

    def __del__(self) -> None:
        raise RuntimeError(self.last)


def _quote(request: Request) -> str:
    return f"{request.url} {request.headers.raw!r} {request.cookies} {request.client}"


async def _fail_at_event(event: Event) -> None:
    raise RuntimeError(f"cannot handle {event!r}")


def _fail_at_click(event: GenericEventArguments, quoted: str) -> None:
    raise RuntimeError(f"{event!r} {quoted}")


def _fail(quoted: str) -> None:
    raise RuntimeError(quoted)


async def _fail_later(quoted: str) -> None:
    raise RuntimeError(quoted)


def _set_up_unfiltered_logs(_settings: Settings) -> None:
    logging.basicConfig(level=logging.DEBUG)
    for name in [*logging.root.manager.loggerDict]:
        logging.getLogger(name).setLevel(logging.NOTSET)


if __name__ == "__main__":
    server.create_app = create_failing_app
    if os.environ.get("UNFILTERED_LOG"):
        server.configure_logging = _set_up_unfiltered_logs
    main()
