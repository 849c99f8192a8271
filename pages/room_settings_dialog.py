"""The dialog in which the owner of a room changes its name, topic, rules and lifetimes."""

from nicegui import html, ui

from anonchat import Cost, Room

from .context import current_context, current_visitor_id
from .door_fields import DoorFields, cost_with_password
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .http.client_address import client_address
from .i18n.language import current_language
from .room_dialogs import confirm_burning
from .room_fields import RoomFields, parse_ttl
from .writing_fields import WritingFields


async def open_room_settings(opened: Room) -> None:
    """Show the dialog; the event of a change updates all pages that show the room."""
    _, context = current_language(), current_context()
    room = await context.chat.room_directory.find(opened.slug)

    async def save(fields: Fields) -> None:
        cost = cost_with_password(Cost.ROOM_CHANGE, fields)
        await current_budget().spend(cost + context.broadcast_cost(room.id))
        with (
            room_fields.report_errors(),
            door_fields.report_errors(),
            writing_fields.report_errors(),
        ):
            await context.chat.room_editor.update(
                room.id,
                visitor_id=current_visitor_id(),
                name=fields.get("name"),
                topic=fields.get("topic"),
                message_ttl=parse_ttl(fields.get("message_ttl")),
                room_ttl=parse_ttl(fields.get("room_ttl")),
                address=client_address(ui.context.client.request),
                **door_fields.read(fields),
                **writing_fields.read(fields),
            )
            dialog.submit(True)

    async def burn() -> None:
        dialog.submit(None)
        await confirm_burning(room)

    with Dialog(_("Room settings")) as dialog, Form(save):
        room_fields = RoomFields(name=room.name, topic=room.topic)
        door_fields = DoorFields(room.rules, listed=room.listed)
        writing_fields = WritingFields(room.rules)
        room_fields.show_lifetimes(
            message_ttl=room.message_ttl,
            room_ttl=room.room_ttl,
            hint=_(
                "What has been said keeps its time. The address of the room stays, and links to it "
                "work."
            ),
        )
        Button(_("Save")).props("type=submit")
        with html.div().classes("only-phone"):  # its header has no space for this button
            Button(_("Burn room"), kind="danger", on_click=burn)
    await dialog
