"""The actions in the header of a room, and those of plugins in the menus of its messages."""

from collections.abc import Awaitable, Callable

from anonchat import (
    N_,
    ChatError,
    CommandResult,
    Cost,
    Member,
    Message,
    NotFound,
    PluginAction,
    Room,
)

from .context import current_context
from .elements.action_buttons import ActionButtons
from .elements.alert import Alert
from .elements.page_budget import current_budget
from .elements.plugin_area import PluginArea
from .i18n.language import current_language
from .lists import MessageList
from .save_dialog import open_save_dialog

_SAVE = "save"  # no plugin has this id: theirs have a colon


class RoomActions:
    """Runs the actions for one member; `tell` shows them a text that is for them alone."""

    def __init__(
        self, room: Room, member: Member, *, tell: Callable[[str], Awaitable[None]]
    ) -> None:
        self._context = current_context()
        self._language = current_language()
        self._budget = current_budget()
        self._room = room
        self._member = member
        self._tell = tell
        self._areas: dict[str, PluginArea] = {}  # what the actions have opened, such as dialogs

    def show_buttons(self, alert: Alert) -> None:
        """Create the buttons of the header, also that which saves; `alert` shows why one failed."""
        actions = self._context.plugins.list_actions("room")

        async def act(id: str) -> None:
            if id == _SAVE:
                await open_save_dialog(self._room)
                return
            with alert.report_errors():
                await self._spend()
                await self._run(by_id[id])

        _, by_id = self._language, {each.id: each for each in actions}
        shown = [(each.id, _.translate(each.title), each.icon) for each in actions]
        ActionButtons(_("More actions"), shown, menu=[(_SAVE, _("Save messages"), "")], act=act)

    def add_to_menus(self, messages: MessageList) -> None:
        """Add the actions to the menus of the messages; a notice shows why one failed."""

        async def act(id: str, seq: int) -> None:
            try:
                await self._spend()
                await self._run(by_id[id], await self._find_message(seq))
            except ChatError as error:
                messages.fail_action(error)

        by_id = {each.id: each for each in self._context.plugins.list_actions("message")}
        shown = [(each.id, self._language.translate(each.title)) for each in by_id.values()]
        messages.add_actions(shown, act)

    async def _spend(self) -> None:
        await self._budget.spend(Cost.PLUGIN + self._context.broadcast_cost(self._room.id))

    async def _run(self, action: PluginAction, message: Message | None = None) -> None:
        with self._open_area(action.id, action.call.plugin):
            result: CommandResult = await self._context.plugins.run_action(
                action,
                self._room.id,
                self._member.visitor_id,
                message=message,
                language=self._language,
            )
        if result.told:
            await self._tell(result.told)

    def _open_area(self, id: str, plugin: str) -> PluginArea:
        """Return an area in place of the one that the action has filled before."""
        previous = self._areas.pop(id, None)
        if previous and not previous.is_deleted:
            previous.delete()
        self._areas[id] = area = PluginArea(plugin).classes("action-area")
        return area

    async def _find_message(self, seq: int) -> Message:
        """Return a message that the member can read. Raises `NotFound` if it is gone."""
        found = await self._context.chat.messages.history(
            self._room.id, visitor_id=self._member.visitor_id, before=seq + 1, limit=1
        )
        if not found or found[-1].seq != seq:
            raise NotFound(N_("There is no such message, or it is gone already."))
        return found[-1]
