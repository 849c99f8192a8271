"""Switches of the settings."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments

from .alert import Alert
from .handlers import LatestOnlyHandler
from .preference import preference_cookie

_OFF = "off"  # as in preferences.js


class PreferenceSwitch(
    ui.element, component="preference_switch.js", dependencies=["preferences.js"]
):
    """A switch that takes effect at once: `call` or `keep` tells how."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._props["text"] = text

    def call(self, change: Callable[[bool], Awaitable[object]], *, on: bool, alert: Alert) -> None:
        """Show that it is `on`, and call `change` with what it is switched to.

        If that raises `ChatError`, the switch goes back, and `alert` shows why.
        """

        async def handle(arguments: GenericEventArguments) -> None:
            is_on, is_done = arguments.args is True, False
            with alert.report_errors():
                await change(is_on)
                is_done = True
            if not is_done:
                self.run_method("set", not is_on)

        self._props["on"] = on
        self.on("change", LatestOnlyHandler(handle))

    def keep(self, name: str) -> None:
        """Keep the state in a cookie of the browser, which is there while it is off."""
        self._props["cookie"] = {
            "name": name,
            "on": preference_cookie(name, ""),
            "off": preference_cookie(name, _OFF),
        }
