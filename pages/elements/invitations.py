"""The list of invitations to a room."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from ..i18n.language import current_language
from .handlers import QueueHandler

Act = Callable[[str], Awaitable[None]]


class Invitations(ui.element, component="invitations.js"):
    """Invitations, by their codes; `show` and `revoke` are called with one of them."""

    def __init__(self, *, show: Act, revoke: Act) -> None:
        super().__init__()
        _ = current_language()
        self._codes: set[str] = set()
        self._props.update(label=_("Invitations"), rows=[], show=_("Show"), revoke=_("Revoke"))
        for event, act in (("show", show), ("revoke", revoke)):
            self.on(event, QueueHandler(self._make_handler(act), queue_max=0))

    def show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these invitations: pairs of a code and what is said of it."""
        self._codes = {code for code, _ in rows}
        self._props["rows"] = [list(row) for row in rows]
        self.update()

    def _make_handler(self, act: Act) -> Callable[[GenericEventArguments], Awaitable[None]]:
        async def handle(arguments: GenericEventArguments) -> None:
            if arguments.args in self._codes:
                await act(str(arguments.args))

        return handle
