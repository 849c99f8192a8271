"""The search box that finds or creates a room."""

from collections.abc import Awaitable, Callable

from markupsafe import escape
from nicegui.events import GenericEventArguments

from anonchat import ChatError, Cost, RoomSummary

from ..i18n.language import current_language
from .component import Component
from .handlers import LatestOnlyHandler

NAME_CHARACTERS = 1_000
"""The `maxlength` of the box; one emoji takes up to 15. The core rejects names too long."""


class RoomSearch(Component, component="room_search.js", dependencies=["reason.js"]):
    """A combobox: typing lists matching public rooms, Enter opens a room.

    If no room has the typed name, the last option offers to create a public one; Enter creates it
    only after that option was shown.

    `search` returns the matches, `rooms` the number of rooms searched (for the cost). `open` opens
    or creates the room of a typed name, `pick` opens the room of a found slug.
    """

    def __init__(
        self,
        *,
        rooms: Callable[[], int],
        search: Callable[[str], Awaitable[list[RoomSummary]]],
        open: Callable[[str], Awaitable[None]],
        pick: Callable[[str], Awaitable[None]],
        with_button: bool,
    ) -> None:
        super().__init__()
        self._rooms = rooms
        self._search = search
        self._open = open
        self._pick = pick
        self._language = _ = current_language()
        self._props.update(
            label=_("Find or create a room"),
            placeholder=_("Room name"),
            button_label=_("Open") if with_button else "",
            max_characters=NAME_CHARACTERS,
            create=_("Create “{name}”", name="{}"),
            create_note=_("public: listed in the lobby"),
        )
        self.on("query", LatestOnlyHandler(self._on_query))
        self.on("open", LatestOnlyHandler(lambda arguments: self._run(self._open, arguments)))
        self.on("pick", LatestOnlyHandler(lambda arguments: self._run(self._pick, arguments)))

    def paint(self) -> str:
        """Return the empty box as HTML."""
        label, placeholder = escape(self._props["label"]), escape(self._props["placeholder"])
        text = escape(self._props["button_label"])
        button = f'<button type="submit" class="button" disabled>{text}</button>' if text else ""
        return (
            f'<form id="{self.html_id}" class="room-search"><div class="room-search-line">'
            f'<div class="field"><i class="icon icon-search"></i><input id="{self.html_id}-box" '
            f'type="text" aria-label="{label}" placeholder="{placeholder}" autocomplete="off">'
            f"</div>{button}</div></form>"
        )

    async def _on_query(self, arguments: GenericEventArguments) -> None:
        words = str(arguments.args)[:NAME_CHARACTERS]
        try:
            await self.work.wait(Cost.SEARCH + Cost.ROOM_SEARCHED * self._rooms())
            options = [self._option(summary) for summary in await self._search(words)]
        except ChatError as error:  # without an answer, an Enter that waits for it would do nothing
            self.run_method("showFailure", words, *self._language.reason(error))
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
            self.run_method("reject", *self._language.reason(error))
        else:
            if not self.is_deleted:
                self.run_method("accept")
