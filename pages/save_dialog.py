"""The dialog that saves messages: one's own, or the transcript of a room."""

from nicegui import html

from anonchat import Cost, Room

from .context import current_context, current_visitor_id
from .elements.alert import Alert
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.page_budget import current_budget
from .http.file_paths import own_messages_path
from .i18n.language import current_language


async def open_save_dialog(room: Room) -> None:
    """Show the dialog until it is closed, or all are asked for the transcript."""
    _, context = current_language(), current_context()

    async def ask() -> None:
        with alert.report_errors():
            await current_budget().spend(Cost.LOOKUP + 2 * context.broadcast_cost(room.id))
            await context.chat.transcripts.ask(room.id, visitor_id=current_visitor_id())
            dialog.submit(True)

    with Dialog(_("Save messages")) as dialog:
        html.p(_("Your own messages in this room, as far as they have not disappeared."))
        for format, text in (
            ("text", _("Save what I wrote")),
            ("json", _("The same as JSON")),
        ):
            html.a(text, href=own_messages_path(room.slug, format=format), download=True).classes(
                "button quiet"
            )
        html.p(
            _(
                "What everybody has said here until now can be saved only if all who are here "
                "agree: they are asked, and have 60 seconds."
            )
        )
        alert = Alert()
        Button(_("Save the transcript"), on_click=ask)
    await dialog
