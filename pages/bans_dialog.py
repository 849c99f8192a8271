"""The dialog that lists who is banned from a room, with a button that lifts each ban."""

from functools import partial

from nicegui import html, ui

from anonchat import Ban, Cost, Room

from .context import current_context, current_visitor_id
from .elements.alert import Alert
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.page_budget import current_budget
from .i18n.language import current_language

_SHOWN_MAX = 100


async def open_bans(room: Room) -> None:
    """Show the dialog. Raises what `Moderation.list_bans` raises."""
    _, order = current_language(), current_context().chat.moderation
    budget, visitor_id = current_budget(), current_visitor_id()
    await budget.spend(Cost.LOOKUP)
    bans = await order.list_bans(room.id, visitor_id=visitor_id)

    async def lift(ban: Ban, item: ui.element) -> None:
        with alert.report_errors():
            await budget.spend(Cost.MODERATE)
            await order.unban(room.id, ban.author, visitor_id=visitor_id)
            item.delete()

    with Dialog(_("Who is banned")) as dialog:
        html.p(
            _(
                "They cannot come in again, nor can anybody whose nickname looks the same. "
                "All bans end with the room."
            )
            if bans
            else _("Nobody is banned from this room.")
        )
        alert = Alert()
        with html.ul().classes("bans") as list_:
            list_.props["aria-label"] = _("Who is banned")
            for ban in bans[:_SHOWN_MAX]:
                with html.li() as item:
                    html.bdi(ban.nickname or _("somebody who was forgotten"))
                    Button(_("Lift"), kind="quiet", on_click=partial(lift, ban, item))
    await dialog
