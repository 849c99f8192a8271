"""What a visitor is told who was removed from a room, or is banned from it."""

from nicegui import html

from anonchat import Room

from .context import current_context, current_visitor_id
from .i18n.language import current_language


async def show_refusal(room: Room) -> bool:
    """Tell a visitor that they were removed, or are banned; return whether they are banned.

    Others may join, perhaps again: show them how, below.
    """
    _, visitor_id = current_language(), current_visitor_id()
    order = current_context().chat.moderation
    if await order.is_banned(room.id, visitor_id):
        with html.div().classes("nothing").props("role=alert tabindex=-1"):
            html.h1(_("You cannot come into this room any more."))
            html.p(
                _(
                    "Its owner or a helper has banned you, or somebody whose nickname looks like "
                    "yours. That ends when the room does."
                )
            )
            html.a(_("Back to the lobby"), href=".").classes("button")
        return True
    if await order.was_removed(room.id, visitor_id):
        html.p(_("The owner of this room or a helper has removed you from it.")).classes(
            "removed"
        ).props("role=alert")
    return False
