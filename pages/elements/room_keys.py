"""Keys that lead to other rooms, anywhere on a page."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from .handlers import QueueHandler


class RoomKeys(ui.element, component="room_keys.js"):
    """Alt and arrows open a room of the sidebar; Ctrl+K, or ⌘K on a Mac, calls `on_switch`.

    It is ignored while `on_switch` runs.
    """

    def __init__(self, *, on_switch: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.on("switch", QueueHandler(lambda _arguments: on_switch(), queue_max=0), args=[])
