"""The dialog that creates a room, with all its options."""

from nicegui import ui

from anonchat import Cost, RoomNameConfusable, RoomNameTaken

from .context import current_context, current_visitor_id
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .elements.select import Select
from .i18n.language import current_language
from .room_fields import RoomFields, parse_ttl


async def open_new_room_dialog() -> None:
    """Show the dialog; a created room is joined and opened."""
    _, chat = current_language(), current_context().chat

    async def create(fields: Fields) -> None:
        await current_budget().spend(Cost.NEW_ROOM)
        with room_fields.report_errors():
            try:
                room = await chat.rooms.create(
                    fields.get("name", ""),
                    visitor_id=current_visitor_id(),
                    listed=fields.get("listed") != "no",
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
        Select(
            _("Who can find it"),
            name="listed",
            options={
                "yes": _("Everybody: listed in the lobby"),
                "no": _("Only those who have the link"),
            },
            value="yes",
        )
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
