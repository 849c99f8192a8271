"""The dialog that lists the keys."""

from collections.abc import Iterator

from nicegui import html

from .elements.dialog import Dialog
from .i18n.language import current_language


async def open_keyboard_dialog() -> None:
    """Show the keys and what they do until the dialog is closed."""
    with Dialog(current_language()("Keyboard")) as dialog, html.dl().classes("keys"):
        for keys, action in _list_keys():
            with html.dt():
                for key in keys.split():
                    html.kbd(key)
            html.dd(action)
    await dialog


def _list_keys() -> Iterator[tuple[str, str]]:
    _ = current_language()
    yield "Ctrl/⌘ K", _("Go to a room")
    yield "Alt/⌥ ↑ ↓", _("To the previous or the next of your rooms")
    yield "Alt/⌥ Shift ↓", _("To the next of your rooms with unread messages")
    yield "Tab", _("To the next field, button or list")
    yield "↑ ↓ ← →", _("Through the rooms, messages and members of a list")
    yield "Home End", _("To the beginning or the end of a list")
    yield "Enter", _("Send the message; on a message, open its menu")
    yield "Shift Enter", _("Begin a new line")
    yield "↑", _("In an empty message: edit your last one")
    yield "Esc", _("Close a dialog, a menu or the members; otherwise to the latest message")
    yield "A … Z", _("Write a message, wherever you are in a room")
    yield "?", _("Show these keys")
