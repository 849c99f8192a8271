"""What a room shows while it has no messages."""

from nicegui import html

from anonchat import Room

from .elements.button import Button
from .i18n.language import current_language
from .room_dialogs import show_invitation


def show_empty_room(room: Room) -> None:
    """Create the text and the button; the style sheet hides them while there are messages.

    The header's button of that name is hidden meanwhile: a page has one of them.
    """
    _ = current_language()
    nothing = _("Nothing has been said yet, or it is gone already.")
    findable = (
        _("Everybody can find this room in the lobby.")
        if room.listed
        else _("Only those who have its link can find this room.")
    )
    with html.div(f"{nothing} {findable}").classes("empty-room"):
        Button(_("Invite"), kind="quiet", on_click=show_invitation)
