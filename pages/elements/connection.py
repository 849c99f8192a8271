"""The status line shown while the connection is lost."""

from nicegui import ui

from ..i18n.language import Language


class Connection(ui.element, component="connection.js"):
    """Shows a text while the connection is lost; empty otherwise."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self._props["text"] = language("Reconnecting… Nothing you wrote is lost.")
