"""Tabs, of which all but the first are filled when they are opened."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape
from nicegui import ui
from nicegui.events import GenericEventArguments

from ..i18n.language import current_language
from .first_paint import paint_elements
from .handlers import QueueHandler


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab: its id, its title, and the name of an icon of theme.css, or `""`."""

    id: str
    title: str
    icon: str = ""


_SCRIPTS: list[str | Path] = ["navigation.js", "notifications/*.js", "popup_menu.js"]


class SideTabs(ui.element, component="side_tabs.js", dependencies=_SCRIPTS):
    """Tabs; the elements created in the `with` block fill the first one.

    A single tab is shown without a list of tabs, whose accessible name is `label`. `fill` is called
    with the id of each other tab when it is opened, in the slot of that tab; it returns whether the
    content stays. If not, it is called again when the tab is opened again. What is shown beside the
    tabs is in the slot `end`. Which tab is open is kept when the page shows other tabs with these
    ids. In the first one is the menu `Notifications` of the room `room_id`, whose choices are
    kept in the browser.
    """

    def __init__(
        self,
        label: str,
        tabs: Sequence[Tab],
        *,
        fill: Callable[[str], Awaitable[bool]],
        room_id: str,
    ) -> None:
        super().__init__()
        self._fill = fill
        self._props.update(
            label=label,
            tabs=[(tab.id, tab.title, tab.icon) for tab in tabs],
            filled=[],
            notifications={"room": room_id, "texts": _list_notification_texts()},
        )
        if len(tabs) > 1:
            self.on("open", QueueHandler(self._open, queue_max=len(tabs)))

    def paint(self) -> str:
        """Return the first tab as HTML."""
        tabs = self._props["tabs"]
        drawn = "".join(
            f'<button type="button" role="tab">{_paint_icon(icon)}{escape(title)}</button>'
            for _, title, icon in tabs
        )
        tab_list = f'<div class="side-tab-list" role="tablist">{drawn}</div>'
        return (
            f'<aside id="{self.html_id}" class="{" ".join(self.classes)} side-tabs">'
            f"<header>{tab_list if len(tabs) > 1 else ''}</header>"
            f'<div class="side-tab">{paint_elements(self.default_slot.children)}</div></aside>'
        )

    async def _open(self, arguments: GenericEventArguments) -> None:
        id, filled = arguments.args, self._props["filled"]
        if id in filled or id not in [tab[0] for tab in self._props["tabs"][1:]]:
            return
        if id in self.slots:
            for child in list(self.slots[id].children):
                child.delete()
        with self.add_slot(id):
            is_filled = await self._fill(id)
        if is_filled:
            self._props["filled"] = [*filled, id]
        self.update()


def _list_notification_texts() -> Mapping[str, str]:
    _ = current_language()
    return {
        "label": _("Notifications"),
        "all": _("All messages"),
        "mentions": _("Mentions"),
        "none": _("None"),
        "sound": _("Sound"),
        "shows_text": _("Show what was said"),
        "refused": _("This browser does not let this site show notifications."),
    }


def _paint_icon(icon: str) -> str:
    return f'<i class="icon icon-{escape(icon)}" aria-hidden="true"></i>' if icon else ""
