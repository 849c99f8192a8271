"""The box that leads to a room by a few letters of its name."""

from collections.abc import Awaitable, Callable

from nicegui.events import GenericEventArguments

from anonchat import ChatError, Cost, RoomSummary

from ..i18n.language import current_language
from .component import Component
from .handlers import LatestOnlyHandler
from .room_search import NAME_CHARACTERS


class QuickSwitch(
    Component, component="quick_switch.js", dependencies=["navigation.js", "reason.js"]
):
    """A combobox in a dialog: the rooms of the sidebar first, which the browser finds by itself.

    `search` returns public rooms, `rooms` the number of rooms searched (for the cost); `pick` opens
    the public room of a slug.
    """

    def __init__(
        self,
        *,
        rooms: Callable[[], int],
        search: Callable[[str], Awaitable[list[RoomSummary]]],
        pick: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._rooms = rooms
        self._search = search
        self._pick = pick
        self._language = _ = current_language()
        self._props.update(
            label=_("Go to a room"),
            placeholder=_("Room name"),
            max_characters=NAME_CHARACTERS,
            none=_("No room has a name like that."),
        )
        self.on("query", LatestOnlyHandler(self._on_query))
        self.on("pick", LatestOnlyHandler(self._on_pick))

    async def _on_query(self, arguments: GenericEventArguments) -> None:
        words = str(arguments.args)[:NAME_CHARACTERS]
        try:
            await self.work.wait(Cost.SEARCH + Cost.ROOM_SEARCHED * self._rooms())
            options = [self._option(summary) for summary in await self._search(words)]
        except ChatError as error:
            self.run_method("fail", *self._language.reason(error))
        else:
            await self.call_script("show", words, options)

    def _option(self, summary: RoomSummary) -> dict[str, str]:
        here = self._language.count("{n} here", "{n} here", summary.here)
        return {"slug": summary.room.slug, "name": summary.room.name, "note": here}

    async def _on_pick(self, arguments: GenericEventArguments) -> None:
        try:
            await self._pick(str(arguments.args)[:NAME_CHARACTERS])
        except ChatError as error:
            self.run_method("fail", *self._language.reason(error))
        else:
            if not self.is_deleted:
                self.run_method("close")
