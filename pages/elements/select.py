"""Select fields."""

from collections.abc import Mapping

from nicegui import html

from .alert import Alert
from .field import Field


class Select(Field):
    """A choice of a form; `options` are texts by value."""

    def __init__(self, label: str, *, name: str, options: Mapping[str, str], value: str) -> None:
        super().__init__(label, html.select, name=name)
        with self.control:
            for option, text in options.items():
                html.option(text, value=option, selected=option == value)

    def refuse(self, alert: Alert) -> None:
        """Mark the choice as refused; `alert` says why."""
        self.control.props.update({"aria-describedby": alert.html_id, "aria-invalid": True})
