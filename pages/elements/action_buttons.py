"""Buttons of actions in the header of a room."""

from collections.abc import Awaitable, Callable, Sequence

from markupsafe import escape
from nicegui import ui
from nicegui.events import GenericEventArguments

from .handlers import QueueHandler

GENERIC_ICON = "puzzle"


class ActionButtons(ui.element, component="action_buttons.js", dependencies=["popup_menu.js"]):
    """An icon button for each action: its id, its title, and the name of an icon of theme.css.

    On a phone, and if there are more than two, they are the items of one menu, called `label`,
    which has those of `menu` in any case. `act` is called with an id. While it runs, further clicks
    are ignored.
    """

    def __init__(
        self,
        label: str,
        actions: Sequence[tuple[str, str, str]],
        *,
        menu: Sequence[tuple[str, str, str]] = (),
        act: Callable[[str], Awaitable[object]],
    ) -> None:
        super().__init__()
        self._act = act
        shown = [(id, title, icon or GENERIC_ICON) for id, title, icon in actions]
        self._props.update(label=label, actions=shown, menu=list(menu), running="")
        self.on("act", QueueHandler(self._run, queue_max=0))

    def paint(self) -> str:
        """Return the buttons as HTML."""
        actions = self._props["actions"]
        buttons = [
            f'<button type="button" class="button icon-only quiet icon-{escape(icon)}" '
            f'aria-label="{escape(title)}"></button>'
            for _, title, icon in actions[: 0 if len(actions) > 2 else 2]
        ]
        more = (
            '<button type="button" class="button icon-only quiet icon-more more-actions" '
            f'aria-label="{escape(self._props["label"])}"></button>'
        )
        with_menu = " with-menu" if len(actions) > 2 or self._props["menu"] else ""
        return f'<div class="action-buttons{with_menu}">{"".join(buttons)}{more}</div>'

    async def _run(self, arguments: GenericEventArguments) -> None:
        offered = (*self._props["actions"], *self._props["menu"])
        if arguments.args not in [action[0] for action in offered]:
            return
        self._props["running"] = arguments.args
        self.update()
        try:
            await self._act(arguments.args)
        finally:
            if not self.is_deleted:
                self._props["running"] = ""
                self.update()
