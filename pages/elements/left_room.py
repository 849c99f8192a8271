"""The notice that a room was left, with a way back."""

from collections.abc import Awaitable, Callable

from nicegui.events import GenericEventArguments

from anonchat import ChatError

from ..i18n.language import current_language
from .component import Component
from .handlers import LatestOnlyHandler


class LeftRoom(Component, component="left_room.js", dependencies=["reason.js", "socket.js"]):
    """Shows for ten seconds which room the visitor has left; `on_undo` gets its slug.

    It stays while the pointer or the focus is on it.
    """

    def __init__(self, on_undo: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._on_undo = on_undo
        self._language = _ = current_language()
        self._props["text"] = _("You left “{room}”.", room="{}")
        self._props["undo"] = _("Undo")
        self.on("undo", LatestOnlyHandler(self._undo))

    async def _undo(self, arguments: GenericEventArguments) -> None:
        try:
            await self._on_undo(str(arguments.args))
        except ChatError as error:
            self.run_method("reject", *self._language.reason(error))
        else:
            self.run_method("forget")
