"""The dialog with the link of a room, and with invitations that lead past its door."""

from nicegui import html, ui

from anonchat import (
    N_,
    ChatError,
    Cost,
    InvalidInvite,
    Invite,
    Member,
    Room,
    format_duration,
    may_moderate,
    parse_duration,
)

from .context import current_context, current_visitor_id
from .elements.action_rows import ActionRows
from .elements.alert import Alert
from .elements.button import Button
from .elements.copy_link import CopyLink
from .elements.dialog import Dialog
from .elements.form import Fields, Form
from .elements.page_budget import current_budget
from .elements.qr_code import QrCode
from .elements.select import Select
from .i18n.language import current_language
from .layout import site_url

_LIFETIMES = ("1h", "1d", "7d", "30d")
_USES = (1, 5, 25)
_DEFAULT_LIFETIME = "1d"


class InviteDialog:
    """The dialog; the owner of the room and its helpers make invitations in it."""

    def __init__(self, room: Room, member: Member) -> None:
        self._room = room
        self._member = member
        self._list: ActionRows | None = None

    async def open(self) -> None:
        """Show the dialog."""
        _, chat = current_language(), current_context().chat
        summary = chat.room_directory.summary(self._room.id)
        room = summary.room if summary else self._room
        url = f"{site_url(ui.context.client.request)}/r/{room.slug}"
        with Dialog(_("Invite")) as dialog:
            html.p(_("Whoever has this link can come in with a nickname of their own."))
            self._link = CopyLink(url)
            self._code = QrCode(url)
            if may_moderate(chat.memberships.current(self._member), room):
                self._show_form()
                await self.refresh()
        await dialog
        self._list = None

    async def refresh(self) -> None:
        """List the invitations as they are now, if the dialog is open."""
        shown = self._list
        if shown is None or shown.is_deleted:
            return
        try:
            await current_budget().spend(Cost.LOOKUP)
            found = await current_context().chat.doors.list_invites(
                self._room.id, visitor_id=current_visitor_id()
            )
        except ChatError:  # no longer a helper, or the room has ended
            found = []
        if not shown.is_deleted:
            shown.show_rows([(each.code, _describe(each)) for each in found])

    def _show_form(self) -> None:
        _, settings = current_language(), current_context().chat.settings
        lifetimes = {parse_duration(each) for each in _LIFETIMES}
        html.p(
            _("An invitation is a link of its own. It leads past a password and a locked door.")
        ).classes("hint")
        with Form(self._make):
            with html.div().classes("pair"):
                Select(
                    _("Expires after"),
                    name="lifetime",
                    options={
                        format_duration(each): _.duration(each)
                        for each in sorted({*lifetimes, settings.invite_ttl_max})
                        if each <= settings.invite_ttl_max
                    },
                    value=_DEFAULT_LIFETIME,
                )
                Select(
                    _("Can be used"),
                    name="uses",
                    options={
                        "0": _("without limit"),
                        **{str(uses): _.count("{n} time", "{n} times", uses) for uses in _USES},
                    },
                    value="0",
                )
            self._alert = Alert()
            Button(_("Make an invitation")).props("type=submit")
        self._list = ActionRows(
            _("Invitations"), [("show", _("Show")), ("revoke", _("Revoke"))], act=self._act
        )

    async def _make(self, fields: Fields) -> None:
        await current_budget().spend(Cost.JOIN)
        try:
            lifetime = parse_duration(fields.get("lifetime", ""))
            uses = int(fields.get("uses", ""))
        except ValueError:  # a forged form
            raise InvalidInvite(N_("Please choose from the list.")) from None
        invite = await current_context().chat.doors.invite(
            self._room.id, visitor_id=current_visitor_id(), lifetime=lifetime, uses_max=uses
        )
        self._show(invite.code)
        await self.refresh()

    async def _act(self, act: str, code: str) -> None:
        if act == "show":
            self._show(code)
        else:
            await self._revoke(code)

    def _show(self, code: str) -> None:
        url = f"{site_url(ui.context.client.request)}/i/{code}"
        self._link.show(url)
        self._code.show(url)

    async def _revoke(self, code: str) -> None:
        with self._alert.report_errors():
            await current_budget().spend(Cost.JOIN)
            await current_context().chat.doors.revoke(
                self._room.id, code, visitor_id=current_visitor_id()
            )
        await self.refresh()


def _describe(invite: Invite) -> str:
    """Say how to tell an invitation from others, how often it was used, and when it expires."""
    _ = current_language()
    left = invite.expires_at - current_context().chat.clock()
    used = (
        _("used {uses} of {most} times", uses=invite.uses, most=invite.uses_max)
        if invite.uses_max
        else _.count("used {n} time", "used {n} times", invite.uses)
    )
    return f"…{invite.code[-4:]} · {used} · {_('ends in {time}', time=_.duration(left))}"
