"""What functions of plugins show: errors in it are logged with the plugin's name."""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from nicegui import app, background_tasks, ui
from nicegui.logging import log as nicegui_log
from nicegui.slot import Slot

from anonchat import ChatError, report_blocking, watch_blocking

from ..context import current_context

_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 5.0
_PAUSES = 4  # the redraws of a room take at most a fifth of the time
_log = logging.getLogger(__name__)


class PluginArea(ui.element):
    """Contains the elements that a function of a plugin creates.

    Exceptions in their handlers are logged with the plugin's name; the visitor sees one line.
    """

    def __init__(self, plugin: str) -> None:
        super().__init__("div")
        self.classes("plugin-area")
        self.plugin = plugin
        self._end_handlers: list[Callable[[], object]] = []

    def watch_state(self, room_id: str, plugin: str, watcher: Callable[[], object]) -> None:
        """Call a function in this area after each change of a state, until the area is deleted.

        For changes that follow quickly upon each other, it is called once.
        """
        if self.is_deleted:
            return
        host = current_context().plugins
        redraw = _Redraw(self, watcher, count_all=partial(host.count_watchers, room_id, plugin))
        host.watch_state(room_id, plugin, redraw.request)
        self._end_handlers.append(lambda: host.unwatch_state(room_id, plugin, redraw.request))

    def report(self, error: Exception, *, notify: bool = True) -> None:
        """Tell the visitor about an error; log it unless it is one of the chat."""
        _ = self.client.request.scope["language"]
        if isinstance(error, ChatError):
            text = _.explain(error)
        else:
            _log.error("plugin %s: a page event failed", self.plugin, exc_info=error)
            text = _("That did not work. Please try again.")
        if notify:
            with self.client:
                ui.notify(text, type="negative", position="top")

    def report_blocking(self, seconds: float) -> None:
        """Log a handler that blocked the event loop for so long, if that is too long."""
        report_blocking(self.plugin, "a page event")(seconds)

    async def watch_blocking(self, awaitable: Awaitable[Any]) -> Any:
        """Await something; log if it blocks the event loop."""
        return await watch_blocking(awaitable, self.report_blocking)

    def _handle_delete(self) -> None:
        for handler in self._end_handlers:
            handler()
        self._end_handlers.clear()
        super()._handle_delete()


class _Redraw:
    """Calls a watcher soon after a change, one call at a time.

    The pause between two calls grows with the number of all watchers of the state: one member who
    changes it all the time must not keep the server busy with the panels of all others.
    """

    def __init__(
        self, area: PluginArea, watcher: Callable[[], object], *, count_all: Callable[[], int]
    ) -> None:
        self._area = area
        self._watcher = watcher
        self._count_all = count_all
        self._is_wanted = False
        self._is_running = False

    def request(self) -> None:
        """Call the watcher soon."""
        self._is_wanted = True
        if not self._is_running:
            self._is_running = True
            background_tasks.create(self._run(), name="panel redrawn")

    async def _run(self) -> None:
        try:
            while self._is_wanted and not self._area.is_deleted:
                self._is_wanted = False
                started = time.perf_counter()
                await self._call()
                seconds = time.perf_counter() - started
                pause = max(_PAUSE_SECONDS, _PAUSES * seconds * self._count_all())
                await asyncio.sleep(min(pause, _PAUSE_SECONDS_MAX))
        finally:
            self._is_running = False

    async def _call(self) -> None:
        with self._area.client, self._area:
            try:
                started = time.perf_counter()
                result = self._watcher()
                self._area.report_blocking(time.perf_counter() - started)
                if inspect.isawaitable(result):
                    await self._area.watch_blocking(result)
            except Exception as error:  # the panel fails alone
                if not self._area.is_deleted:
                    self._area.report(error, notify=False)


def install_plugin_errors() -> None:
    """Report exceptions of handlers in plugin areas there, and all others as NiceGUI does.

    Handlers that block the event loop are logged, too.

    NiceGUI leaves the slot of an element before it reports that a handler has failed. Here it is
    kept until then, so that the area is found.
    """
    handle_event = ui.element._handle_event
    create_task = background_tasks.create_or_defer

    def handle_event_in_slot(self: ui.element, message: dict[str, Any]) -> None:
        with self.parent_slot or nullcontext():
            area, started = _find_area(), time.perf_counter()
            handle_event(self, message)
            if area:
                area.report_blocking(time.perf_counter() - started)

    def create_watched_task(awaitable: Awaitable[Any], **options: Any) -> None:
        area = _find_area()
        create_task(area.watch_blocking(awaitable) if area else awaitable, **options)

    background_tasks.create_or_defer = create_watched_task
    ui.element._handle_event = handle_event_in_slot  # type: ignore[method-assign, assignment]
    app._exception_handlers[:] = [_report]


def _report(error: Exception) -> None:
    if area := _find_area():
        area.report(error)
    else:
        nicegui_log.exception(error)


def _find_area() -> PluginArea | None:
    """Return the area whose handler or function runs."""
    for slot in reversed(Slot.get_stack()):
        with suppress(RuntimeError):  # deleted meanwhile
            element: ui.element | None = slot.parent
            while element:
                if isinstance(element, PluginArea):
                    return element
                parent = element.parent_slot
                element = parent.parent if parent else None
    return None
