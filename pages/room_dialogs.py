"""The dialog that ends a room."""

from nicegui import html

from anonchat import Cost, Room

from .context import current_context, current_visitor_id
from .elements.alert import Alert
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.page_budget import current_budget
from .i18n.language import current_language


async def confirm_burning(room: Room) -> None:
    """End the room if the owner confirms it; the event shows the notice on all its pages."""
    _ = current_language()

    async def burn() -> None:
        with alert.report_errors():
            await current_budget().spend(Cost.PURGE)
            await current_context().chat.room_deletion.burn(
                room.id, visitor_id=current_visitor_id()
            )
            dialog.submit(True)

    with Dialog(_("Burn this room?")) as dialog:
        html.p(
            _(
                "The room ends now, for everybody: its name, its address, and every message. The "
                "keys to what was said are destroyed. What people have photographed or remember "
                "stays with them. This cannot be undone."
            )
        )
        alert = Alert()
        Button(_("Yes, burn it now"), kind="danger", on_click=burn)
    await dialog
