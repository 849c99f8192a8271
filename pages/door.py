"""The door of a room, as a visitor sees it who is not a member."""

from nicegui import html

from anonchat import DoorClosed, Room

from .context import current_context
from .door_fields import show_password_field
from .elements.alert import Alert
from .elements.button import Button
from .elements.form import Fields, Form
from .i18n.language import current_language
from .room_entry import join_room


class Door:
    """What is needed to come in; it changes with the rules of the room."""

    def __init__(self, room: Room, *, invite: str = "") -> None:
        """`invite` is the code of an invitation."""
        self._room = room
        self._invite = invite
        self._place = html.div().classes("door")
        self._show()

    async def update(self, _event: object = None) -> None:
        """Show the rules as they are now."""
        summary = current_context().chat.room_directory.summary(self._room.id)
        if summary and summary.room.rules != self._room.rules:
            self._room = summary.room
            self._show()

    def _show(self) -> None:
        _, rules = current_language(), self._room.rules
        with self._place.clear():
            if self._invite:
                html.p(_("You are invited to this room."))
                self._show_button()
            elif rules.locked:
                html.p(_("This room is locked: nobody else can come in."))
            elif rules.has_password:
                with Form(self._join):
                    self._password = show_password_field(_("Password"))
                    self._alert = Alert()
                    Button(_("Join room")).props("type=submit")
            else:
                self._show_button()

    def _show_button(self) -> None:
        self._alert = Alert()
        Button(current_language()("Join room"), on_click=self._join)

    async def _join(self, fields: Fields | None = None) -> None:
        """Join the room; a refusal is shown beside what caused it."""
        _, password = current_language(), (fields or {}).get("password", "")
        with self._alert.report_errors():
            try:
                await join_room(self._room, password=password, invite=self._invite)
            except DoorClosed as error:
                await self.update()
                if self._room.rules.has_password:
                    self._password.refuse(_.explain(error))
                elif not self._room.rules.locked:
                    raise
