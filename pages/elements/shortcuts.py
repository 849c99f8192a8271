"""Keys that work anywhere on a page."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from .handlers import QueueHandler

Press = Callable[[], Awaitable[object]]


class Shortcuts(ui.element, component="shortcuts.js"):
    """`?` outside of text fields and dialogs calls `on_help`; Ctrl+K, on a Mac ⌘K, `on_switch`.

    They are ignored while that runs. Alt and arrows open the rooms of the sidebar.
    """

    def __init__(self, *, on_help: Press, on_switch: Press) -> None:
        super().__init__()
        self.on("help", QueueHandler(lambda _arguments: on_help(), queue_max=0), args=[])
        self.on("switch", QueueHandler(lambda _arguments: on_switch(), queue_max=0), args=[])
