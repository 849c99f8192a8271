"""The search box that finds or creates a room."""

from collections.abc import Awaitable, Callable

from nicegui.events import GenericEventArguments

from anonchat import ChatError, Cost, RoomSummary, WorkBudget

from ..i18n.language import Language
from .component import Component
from .handlers import LatestOnlyHandler

NAME_CHARACTERS = 1_000
"""The `maxlength` of the box; one emoji takes up to 15. The core rejects names too long."""


class RoomSearch(Component, component="room_search.js"):
    """A combobox: typing lists matching public rooms, Enter opens a room.

    If no room has the typed name, the last option offers to create a public one; Enter creates it
    only after that option was shown.

    `search` returns the matches, `rooms` the number of rooms searched (for the cost). `open` opens
    or creates the room of a typed name, `pick` opens the room of a found slug.
    """

    def __init__(
        self,
        *,
        budget: WorkBudget,
        rooms: Callable[[], int],
        search: Callable[[str], Awaitable[list[RoomSummary]]],
        open: Callable[[str], Awaitable[None]],
        pick: Callable[[str], Awaitable[None]],
        language: Language,
        with_button: bool,
    ) -> None:
        super().__init__(budget)
        self._rooms = rooms
        self._search = search
        self._open = open
        self._pick = pick
        self._language = language
        self._props.update(
            label=language("Find or create a room"),
            placeholder=language("Room name"),
            button_label=language("Open") if with_button else "",
            max_characters=NAME_CHARACTERS,
            create=language("Create “{name}”", name="{}"),
            create_note=language("public: listed in the lobby"),
        )
        self.on("query", LatestOnlyHandler(self._on_query))
        self.on("open", LatestOnlyHandler(lambda arguments: self._run(self._open, arguments)))
        self.on("pick", LatestOnlyHandler(lambda arguments: self._run(self._pick, arguments)))

    async def _on_query(self, arguments: GenericEventArguments) -> None:
        words = str(arguments.args)[:NAME_CHARACTERS]
        try:
            await self.work.wait(Cost.SEARCH + Cost.ROOM_SEARCHED * self._rooms())
            options = [self._option(summary) for summary in await self._search(words)]
        except ChatError as error:  # without an answer, an Enter that waits for it would do nothing
            self.run_method("showFailure", words, self._language.explain(error))
        else:
            await self.call_script("show", words, options)

    def _option(self, summary: RoomSummary) -> dict[str, str]:
        here = self._language.count("{n} here", "{n} here", summary.here)
        return {"slug": summary.room.slug, "name": summary.room.name, "note": here}

    async def _run(
        self, action: Callable[[str], Awaitable[None]], arguments: GenericEventArguments
    ) -> None:
        try:
            await action(str(arguments.args)[:NAME_CHARACTERS])
        except ChatError as error:
            self.run_method("reject", self._language.explain(error))
