"""The door of a room, as a visitor sees it who is not a member."""

from nicegui import html, ui

from anonchat import Cost, DoorClosed, NotAllowed, Room

from .context import current_context, current_visitor_id
from .door_fields import cost_with_password, show_password_field
from .elements.alert import Alert
from .elements.button import Button
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .elements.secret_field import SecretField
from .http.client_address import client_address
from .i18n.language import current_language
from .room_entry import join_room


class Door:
    """What is needed to come in; it changes with the rules of the room, and with an answer."""

    def __init__(self, room: Room, *, invite: str = "") -> None:
        """`invite` is the code of an invitation."""
        self._room = room
        self._invite = invite
        self._shown: object = None
        self._password: SecretField | None = None
        self._alert: Alert | None = None
        self._place = html.div().classes("door").props("aria-live=polite")

    async def update(self, _event: object = None) -> None:
        """Show the door as it is now; who was let in is led into the room."""
        chat, visitor_id = current_context().chat, current_visitor_id()
        await current_budget().spend(Cost.LOOKUP)
        if await chat.memberships.is_member(self._room.id, visitor_id=visitor_id):
            ui.navigate.to(f"/r/{self._room.slug}")
            return
        if summary := chat.room_directory.summary(self._room.id):
            self._room = summary.room
        asked = ""
        if self._room.rules.asks:
            asked = await chat.doors.find_knock(self._room.id, visitor_id)
        if (self._room.rules, asked) != self._shown:
            self._shown = self._room.rules, asked
            self._show(asked)

    def _show(self, asked: str) -> None:
        _, rules = current_language(), self._room.rules
        self._password = self._alert = None
        with self._place.clear():
            if self._invite:
                html.p(_("You are invited to this room."))
                self._show_button(_("Join room"))
            elif rules.locked:
                html.p(_("This room is locked: nobody else can come in."))
            elif asked == "waiting":
                html.p(_("You have asked to come in. Wait here until you are let in."))
            elif asked:
                html.p(_("You were not let in."))
            else:
                self._show_entry(_("Ask to come in") if rules.asks else _("Join room"))

    def _show_entry(self, label: str) -> None:
        if not self._room.rules.has_password:
            self._show_button(label)
            return
        _ = current_language()
        with Form(self._enter):
            self._password = show_password_field(_("Password"))
            self._alert = Alert()
            Button(label).props("type=submit")

    def _show_button(self, label: str) -> None:
        self._alert = Alert()
        Button(label, on_click=self._enter)

    async def _enter(self, fields: Fields | None = None) -> None:
        """Join the room, or ask to come in; a refusal is shown beside what caused it."""
        assert self._alert
        with self._alert.report_errors():
            try:
                await self._act(fields or {})
            except DoorClosed as error:
                await self.update()
                if self._password and not self._password.is_deleted:
                    self._password.refuse(current_language().explain(error))
                elif self._alert and not self._alert.is_deleted:
                    raise

    async def _act(self, fields: Fields) -> None:
        password = fields.get("password", "")
        if self._invite or not self._room.rules.asks:
            await join_room(self._room, password=password, invite=self._invite)
            return
        await current_budget().spend(cost_with_password(Cost.JOIN, fields))
        try:
            await current_context().chat.doors.knock(
                self._room.id,
                visitor_id=current_visitor_id(),
                password=password,
                address=client_address(ui.context.client.request),
            )
        except DoorClosed:
            raise
        except NotAllowed:  # nobody has to ask any more
            pass
        await self.update()
