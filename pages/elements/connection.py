"""The status line shown while the connection is lost or cannot be made."""

from nicegui import ui

from anonchat import Language

_HERE = "{here}"  # filled in by the script: only the browser knows its address


class Connection(ui.element, component="connection.js", dependencies=["socket.js"]):
    """Shows a text while the connection is lost; empty otherwise.

    A page at another origin than `origin` says so instead, because its sockets are refused.
    `is_configured` tells whether ANONCHAT_BASE_URL has set `origin`.
    """

    def __init__(self, language: Language, *, origin: str, is_configured: bool) -> None:
        super().__init__()
        self._props["text"] = language("Reconnecting… Nothing you wrote is lost.")
        self._props["origin"] = origin
        self._props["refused"] = (
            language(
                "This page cannot connect at the address {here}. Please open {origin} instead. "
                "(The operator decides with ANONCHAT_BASE_URL.)",
                here=_HERE,
                origin=origin,
            )
            if is_configured
            else language(
                "This page cannot connect at the address {here} yet: the operator has to set "
                "ANONCHAT_BASE_URL to it.",
                here=_HERE,
            )
        )
