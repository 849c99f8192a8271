"""The list of those who ask to come into a room, for its owner and helpers."""

from nicegui import html, ui

from anonchat import ChatError, Cost, Knock, Room

from .context import current_context, current_visitor_id
from .elements.action_rows import ActionRows
from .elements.alert import Alert
from .elements.page_budget import current_budget
from .i18n.language import current_language


class WaitingList:
    """The list, between header and messages; there is none while nobody waits."""

    def __init__(self, room: Room, *, place: ui.element, index: int) -> None:
        """`place` gets the list as the child with this `index`."""
        self._room = room
        self._place = place
        self._index = index
        self._box: ui.element | None = None

    async def refresh(self) -> None:
        """Show who waits now."""
        try:
            await current_budget().spend(Cost.LOOKUP)
            found = await current_context().chat.doors.list_knocks(
                self._room.id, visitor_id=current_visitor_id()
            )
        except ChatError:  # no longer a helper, or the room has ended
            found = []
        if self._place.is_deleted:
            return
        if found and self._box is None:
            self._create()
        if self._box and not found:
            self._box.delete()
            self._box = None
        elif self._box:
            self._rows.show_rows([(each.author, _describe(each)) for each in found])

    def _create(self) -> None:
        _ = current_language()
        with self._place, html.div().classes("waiting").props("aria-live=polite") as self._box:
            html.h2(_("Waiting"))
            self._rows = ActionRows(
                _("Waiting"),
                [("in", _("Let in")), ("out", _("Turn away"))],
                act=self._answer,
            )
            self._alert = Alert()
        self._box.move(target_index=self._index)

    async def _answer(self, act: str, author: str) -> None:
        with self._alert.report_errors():
            context = current_context()
            await current_budget().spend(Cost.JOIN + context.broadcast_cost(self._room.id))
            await context.chat.doors.answer_knock(
                self._room.id, author, let_in=act == "in", visitor_id=current_visitor_id()
            )


def _describe(knock: Knock) -> str:
    return f"{knock.nickname} · {knock.badge}" if knock.badge else knock.nickname
