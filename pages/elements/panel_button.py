"""The button of a panel."""

from markupsafe import escape
from nicegui import ui


class PanelButton(ui.element, component="panel_button.js"):
    """A button that shows or hides `panel` without the server; it shows an icon of theme.css.

    On a narrow window the panel covers the page, so the focus moves into it and back. What was
    chosen is kept when another room is opened. `label` is the accessible name and the tooltip.
    """

    def __init__(self, icon: str, label: str, panel: ui.element) -> None:
        super().__init__()
        self._props.update(icon=icon, label=label, panel=panel.html_id)

    def paint(self) -> str:
        """Return the button as HTML."""
        icon, label = self._props["icon"], escape(self._props["label"])
        return (
            f'<button type="button" class="button icon-only quiet icon-{icon}" '
            f'aria-label="{label}"></button>'
        )
