"""Dialogs."""

import asyncio
from collections.abc import Generator

from nicegui import ui

from anonchat import Cost

from ..i18n.language import current_language
from .page_budget import current_budget


class Dialog(ui.element, component="modal_dialog.js"):
    """A modal dialog, which is built when it is wanted; `await` waits for its end.

    The result is what `submit` was called with, or `None` if the dialog was closed. Afterwards the
    dialog is deleted. The visitor is charged for it: until that is possible, the button that opened
    it is busy. Its elements are created in its `with` block::

        with Dialog("Burn this room?") as dialog:
            Button("Yes", on_click=lambda: dialog.submit(True))
        if await dialog:
            ...
    """

    def __init__(self, title: str) -> None:
        with ui.context.client.content:  # the element that opens it may be deleted meanwhile
            super().__init__()
        self._work = current_budget()
        self._end: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._props.update(title=title, close_label=current_language()("Close"))
        self.on("close", lambda: self.submit(None), args=[])

    def submit(self, result: object) -> None:
        """Close the dialog; `await` returns the result."""
        if not self._end.done():
            self._end.set_result(result)

    def __await__(self) -> Generator[object, object, object]:
        return self._wait().__await__()

    async def _wait(self) -> object:
        try:
            await self._work.wait(Cost.DIALOG)
            return await self._end
        finally:
            if not self.is_deleted:
                self.delete()

    def _handle_delete(self) -> None:
        self.submit(None)
        super()._handle_delete()
