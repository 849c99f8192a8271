"""Select fields."""

from collections.abc import Mapping

from nicegui import html, ui

from .alert import Alert


class Select(ui.element):
    """A choice of a form, with its label; `options` are texts by value."""

    def __init__(
        self,
        label: str,
        *,
        name: str,
        options: Mapping[str, str],
        value: str,
    ) -> None:
        super().__init__("div")
        self.classes("labelled")
        with self:
            caption = html.label(label)
            with html.div().classes("field"):
                self.select = html.select(name=name)
        caption.props["for"] = self.select.html_id
        with self.select:
            for option, text in options.items():
                html.option(text, value=option, selected=option == value)

    def refuse(self, alert: Alert) -> None:
        """Mark the choice as refused; `alert` says why."""
        self.select.props.update({"aria-describedby": alert.html_id, "aria-invalid": True})

    def accept(self) -> None:
        """Remove the mark."""
        self.select.props["aria-invalid"] = False
