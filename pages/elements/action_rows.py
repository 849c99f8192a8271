"""Short lists of what something can be done with."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from .handlers import QueueHandler

_QUEUE_MAX = 10


class ActionRows(ui.element, component="action_rows.js"):
    """Rows, pairs of a key and a text; each has buttons for `actions`, pairs of an id and a text.

    `act` is called with the id of an action and the key of a row that is shown.
    """

    def __init__(
        self,
        label: str,
        actions: Sequence[tuple[str, str]],
        *,
        act: Callable[[str, str], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._act = act
        self._props.update(label=label, rows=[], actions=[list(action) for action in actions])
        self.on("act", QueueHandler(self._run, queue_max=_QUEUE_MAX))

    def show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these rows instead."""
        self._props["rows"] = [list(row) for row in rows]
        self.update()

    async def _run(self, arguments: GenericEventArguments) -> None:
        given = arguments.args if isinstance(arguments.args, dict) else {}
        act, key = given.get("act"), given.get("key")
        if act in [id for id, _ in self._props["actions"]] and key in [
            key for key, _ in self._props["rows"]
        ]:
            await self._act(str(act), str(key))
