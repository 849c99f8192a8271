"""The dialog that searches the messages of a room."""

from anonchat import Room

from .elements.dialog import Dialog
from .elements.live_list import LiveList
from .elements.message_search import MessageSearch
from .i18n.language import current_language


async def open_search(room: Room, messages: LiveList) -> None:
    """Show the search until the dialog is closed, or a result leads to its message."""
    with Dialog(current_language()("Search")) as dialog:
        MessageSearch(room, messages=messages)
    await dialog
