"""Forms."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments

from .alert import Alert
from .field import Field
from .handlers import QueueHandler

Fields = dict[str, str]


class Form(ui.element, component="form.js"):
    """A form; its texts stay in the browser until it is submitted.

    `on_submit` gets the fields by name. Meanwhile the form cannot be submitted again. Before, the
    marks of refused fields are removed; afterwards, the first refused field is focused, or the
    first of all. The last `Alert` in the form shows a `ChatError` that `on_submit` does not handle.
    """

    def __init__(self, on_submit: Callable[[Fields], Awaitable[object]]) -> None:
        super().__init__()
        self._on_submit = on_submit
        self.on("submit", QueueHandler(self._submit, queue_max=0))

    async def _submit(self, arguments: GenericEventArguments) -> None:
        values = arguments.args if isinstance(arguments.args, dict) else {}
        fields = {name: text for name, text in values.items() if isinstance(text, str)}
        elements = list(self.descendants())
        for element in elements:
            if isinstance(element, Field):
                element.accept()
        *_, alert = (element for element in elements if isinstance(element, Alert))
        try:
            with alert.report_errors():
                await self._on_submit(fields)
        finally:
            if not self.is_deleted:
                self.run_method("release")
