"""Checkboxes."""

from nicegui import html, ui


class Checkbox(ui.element):
    """A checkbox of a form, before its label; a checked one submits `yes`."""

    def __init__(self, label: str, *, name: str, checked: bool = False) -> None:
        super().__init__("label")
        self.classes("check")
        with self:
            html.input_(type="checkbox", name=name, value="yes", checked=checked)
            html.span(label)
