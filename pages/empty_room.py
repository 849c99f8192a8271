"""What a room shows while it has no messages."""

from collections.abc import Awaitable, Callable

from nicegui.elements.mixins.text_element import TextElement

from anonchat import Room

from .context import current_context
from .elements.button import Button
from .i18n.language import current_language


class EmptyRoom:
    """The text and a button that invites; the style sheet hides them while there are messages.

    The header's button of that name is hidden meanwhile: a page has one of them.
    """

    def __init__(self, room: Room, *, on_invite: Callable[[], Awaitable[None]]) -> None:
        _ = current_language()
        self._room_id = room.id
        with TextElement(tag="div", text=_describe(room)).classes("empty-room") as self._text:
            Button(_("Invite"), kind="quiet", on_click=on_invite)

    def update(self, _event: object = None) -> None:
        """Say who can find the room now."""
        if summary := current_context().chat.room_directory.summary(self._room_id):
            self._text.text = _describe(summary.room)


def _describe(room: Room) -> str:
    _ = current_language()
    nothing = _("Nothing has been said yet, or it is gone already.")
    findable = (
        _("Everybody can find this room in the lobby.")
        if room.listed
        else _("Only those who have its link can find this room.")
    )
    return f"{nothing} {findable}"
