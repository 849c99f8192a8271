"""The dialog that creates a room, with all its options."""

from nicegui import ui

from anonchat import Cost, RoomNameConfusable, RoomNameTaken

from .context import current_context, current_visitor_id
from .door_fields import (
    cost_with_password,
    is_listed,
    report_password,
    show_listing,
    show_password_field,
)
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .http.client_address import client_address
from .i18n.language import current_language
from .room_fields import RoomFields, parse_ttl


async def open_new_room_dialog() -> None:
    """Show the dialog; a created room is joined and opened."""
    _, chat = current_language(), current_context().chat

    async def create(fields: Fields) -> None:
        await current_budget().spend(cost_with_password(Cost.NEW_ROOM, fields))
        with room_fields.report_errors(), report_password(password):
            try:
                room = await chat.rooms.create(
                    fields.get("name", ""),
                    visitor_id=current_visitor_id(),
                    listed=is_listed(fields),
                    password=fields.get("password", ""),
                    address=client_address(ui.context.client.request),
                    message_ttl=parse_ttl(fields.get("message_ttl")),
                    room_ttl=parse_ttl(fields.get("room_ttl")),
                    topic=fields.get("topic", ""),
                )
            except RoomNameConfusable:
                raise
            except RoomNameTaken:
                room_fields.name.refuse(
                    _("There is a room of that name already. Open it from the lobby instead.")
                )
                return
            dialog.submit(room)
            ui.navigate.to(f"/r/{room.slug}")

    with Dialog(_("New room")) as dialog, Form(create):
        room_fields = RoomFields()
        show_listing()
        password = show_password_field(_("Password (optional)"))
        room_fields.show_lifetimes(
            message_ttl=min(chat.settings.message_ttl, chat.settings.room_ttl),
            room_ttl=chat.settings.room_ttl,
            hint=_(
                "Until somebody else has been in it, a quiet and empty room ends after {time} "
                "at most.",
                time=_.duration(chat.settings.new_room_ttl),
            ),
        )
        Button(_("Create the room")).props("type=submit")
    await dialog
