"""What the owner of a room and its helpers do to members, in menus of members and messages."""

from collections.abc import Awaitable, Callable

from nicegui import html

from anonchat import (
    ChatError,
    Cost,
    Member,
    Room,
    may_moderate,
    parse_duration,
    role_of,
)

from .bans_dialog import open_bans
from .context import current_context
from .elements.alert import Alert
from .elements.button import Button
from .elements.dialog import Dialog
from .elements.page_budget import current_budget
from .i18n.language import current_language
from .lists import MemberList, MessageList

_MUTES = ("10m", "1h", "")  # as long as the room exists

Do = Callable[[], Awaitable[object]]


class OrderActions:
    """Acts for one member; `fail` shows why something was refused."""

    def __init__(self, room: Room, member: Member, *, fail: Callable[[ChatError], None]) -> None:
        self._context = current_context()
        self._order = self._context.chat.moderation
        self._language = current_language()
        self._budget = current_budget()
        self._room = room
        self._member = member
        self._fail = fail

    def add_to_menus(self, *lists: MemberList | MessageList) -> None:
        """Add what the member may do, if anything, to the menus of these lists."""
        if not may_moderate(self._member, self._room):
            return
        _ = self._language
        texts = {
            "helper": _("Make helper"),
            "member": _("No longer a helper"),
            "owner": _("Make owner"),
            "mute": _("Mute"),
            "unmute": _("Let write again"),
            "delete_all": _("Delete all of theirs"),
            "remove": _("Remove"),
            "ban": _("Ban"),
            "bans": _("Who is banned"),
        }
        for each in lists:
            each.keep_order(role_of(self._member, self._room), texts, self._act)

    async def _act(self, act: str, author: str) -> None:
        visitor_id, room_id = self._member.visitor_id, self._room.id
        try:
            match act:
                case "helper" | "member":
                    await self._spend()
                    await self._order.set_role(room_id, author, act, visitor_id=visitor_id)
                case "unmute":
                    await self._spend()
                    await self._order.unmute(room_id, author, visitor_id=visitor_id)
                case "remove":
                    await self._spend()
                    await self._order.remove(room_id, author, visitor_id=visitor_id)
                case "ban":
                    await self._spend()
                    await self._order.ban(room_id, author, visitor_id=visitor_id)
                case "owner":
                    await self._confirm_giving(author)
                case "mute":
                    await self._choose_mute(author)
                case "delete_all":
                    await self._confirm_deletion(author)
                case "bans":
                    await open_bans(self._room)
        except ChatError as error:
            self._fail(error)

    async def _spend(self, cost: float = Cost.MODERATE) -> None:
        await self._budget.spend(cost + self._context.broadcast_cost(self._room.id))

    async def _choose_mute(self, author: str) -> None:
        _ = self._language

        def choose(duration: str) -> Do:
            async def mute() -> None:
                await self._spend()
                await self._order.mute(
                    self._room.id,
                    author,
                    parse_duration(duration) if duration else None,
                    visitor_id=self._member.visitor_id,
                )

            return mute

        choices = {
            _.duration(parse_duration(each)) if each else _("For good"): choose(each)
            for each in _MUTES
        }
        await self._ask(
            author,
            _("Mute {name}", name="{name}"),
            _("They can read, but write nothing. They are told, and so is everybody here."),
            choices,
        )

    async def _confirm_giving(self, author: str) -> None:
        _ = self._language

        async def give() -> None:
            await self._spend()
            await self._order.set_role(
                self._room.id, author, "owner", visitor_id=self._member.visitor_id
            )

        await self._ask(
            author,
            _("Make {name} the owner?", name="{name}"),
            _(
                "The room is theirs then, and you are a helper. Only they can give it back. "
                "This cannot be undone."
            ),
            {_("Yes, give it away"): give},
            kind="danger",
        )

    async def _confirm_deletion(self, author: str) -> None:
        _ = self._language

        async def delete() -> None:
            await self._spend(Cost.DELETE_ALL)
            await self._order.delete_all_of(
                self._room.id, author, visitor_id=self._member.visitor_id
            )

        await self._ask(
            author,
            _("Delete all that {name} wrote?", name="{name}"),
            _(
                "All their messages in this room are gone then, for everybody. "
                "This cannot be undone."
            ),
            {_("Yes, delete all of it"): delete},
            kind="danger",
        )

    async def _ask(
        self, author: str, title: str, explanation: str, choices: dict[str, Do], *, kind: str = ""
    ) -> None:
        """Show a dialog about somebody; it closes after one of the choices was done."""
        title = title.replace("{name}", await self._find_name(author))

        def do(choice: Do) -> Do:
            async def act() -> None:
                with alert.report_errors():
                    await choice()
                    dialog.submit(True)

            return act

        with Dialog(title) as dialog:
            html.p(explanation)
            alert = Alert()
            with html.div().classes("choices"):
                for text, choice in choices.items():
                    Button(text, kind=kind, on_click=do(choice))
        await dialog

    async def _find_name(self, author: str) -> str:
        """Return the nickname of a member; of somebody who has left, what stands for it."""
        members = await self._context.chat.memberships.list_members(
            self._room.id, visitor_id=self._member.visitor_id
        )
        names = (member.nickname for member in members if member.author == author)
        return next(names, self._language("somebody who has left"))
