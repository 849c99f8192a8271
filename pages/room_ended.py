"""The notice that replaces a room that has ended."""

from typing import Any

from nicegui import html, ui

from .elements.unsent_text import UnsentText
from .i18n.language import current_language


def show_room_ended(place: ui.element, event: dict[str, Any], *, storage_key: str = "") -> None:
    """Replace the content of an element by the reason why the room ended, and the unsent text."""
    _, is_burnt = current_language(), event.get("why") == "burnt"
    with place.clear():
        with html.div().classes("nothing").props("role=alert"):
            html.h1(_("This room was burnt.") if is_burnt else _("This room has ended."))
            html.p(
                _(
                    "Its owner, or whoever runs this site, has ended it. Everything said here is "
                    "gone, for everybody."
                )
                if is_burnt
                else _("It was quiet for too long. Everything said here is gone.")
            )
            html.a(_("Back to the lobby"), href=".").classes("button")
        if storage_key:
            UnsentText(storage_key)
