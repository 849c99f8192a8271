"""Fields for secrets."""

from typing import Any

from markupsafe import escape
from nicegui import ui

from .text_field import TextField


class SecretField(TextField):
    """A text field whose text is hidden until its button, named `show_label`, shows it."""

    def __init__(self, label: str, *, name: str, show_label: str, **attributes: Any) -> None:
        super().__init__(label, name=name, spellcheck="false", autocapitalize="off", **attributes)
        self.control.classes("secret")
        with self.box:
            _RevealButton(self.control, show_label)


class _RevealButton(ui.element, component="reveal_button.js"):
    def __init__(self, field: ui.element, label: str) -> None:
        super().__init__()
        self._props.update(field=field.html_id, label=label)

    def paint(self) -> str:
        """Return the button as HTML."""
        return (
            '<button type="button" class="button icon-only quiet icon-eye" aria-pressed="false" '
            f'aria-label="{escape(self._props["label"])}"></button>'
        )
