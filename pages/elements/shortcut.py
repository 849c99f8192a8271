"""Keys that work anywhere on a page."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from .handlers import QueueHandler


class Shortcut(ui.element, component="shortcut.js"):
    """Calls `on_press` when a character is typed outside of text fields and dialogs.

    It is ignored while `on_press` runs.
    """

    def __init__(self, character: str, *, on_press: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._props["character"] = character
        self.on("press", QueueHandler(lambda _arguments: on_press(), queue_max=0), args=[])
