"""The box that finds or creates a room."""

from collections.abc import Awaitable, Callable

from nicegui.events import GenericEventArguments

from anonchat import ChatError, Cost, Glance, WorkBudget

from ..language import Language
from .handlers import NewestOnly
from .part import Part

NAME_CHARACTERS = 1_000
"""As many as a box takes: the longest emoji has fifteen. The core says which name is too long."""


class Finder(Part, component="finder.js"):
    """A combobox: while one types, matching public rooms appear; Enter goes to the room.

    `search` returns what matches among so many `rooms`, `open` goes to the room that somebody
    typed, `pick` to the room at an address that was found.
    """

    def __init__(
        self,
        *,
        budget: WorkBudget,
        rooms: Callable[[], int],
        search: Callable[[str], Awaitable[list[Glance]]],
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
            button_label=language("Open") if with_button else "",
            longest=NAME_CHARACTERS,
        )
        self.on("query", NewestOnly(self._on_query))
        self.on("open", NewestOnly(lambda arguments: self._go(self._open, arguments)))
        self.on("pick", NewestOnly(lambda arguments: self._go(self._pick, arguments)))

    async def _on_query(self, arguments: GenericEventArguments) -> None:
        words = str(arguments.args)[:NAME_CHARACTERS]
        await self.work.wait(Cost.SEARCH + Cost.ROOM_SEARCHED * self._rooms())
        options = [self._option(glance) for glance in await self._search(words)]
        await self.tell("show", words, options)

    def _option(self, glance: Glance) -> dict[str, str]:
        here = self._language.count("{n} here", "{n} here", glance.here)
        return {"slug": glance.room.slug, "name": glance.room.name, "note": here}

    async def _go(
        self, go: Callable[[str], Awaitable[None]], arguments: GenericEventArguments
    ) -> None:
        try:
            await go(str(arguments.args)[:NAME_CHARACTERS])
        except ChatError as error:
            self.run_method("refuse", self._language.explain(error))
