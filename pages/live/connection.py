"""The calm line that says when the screen is on its own."""

from nicegui import ui

from ..language import Language


class Connection(ui.element, component="connection.js"):
    """Says so while the connection is lost, and nothing otherwise."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self._props["text"] = language("Reconnecting… Nothing you wrote is lost.")
