"""Text fields."""

from nicegui import html

from .alert import Alert
from .field import Field


class TextField(Field):
    """A text field of a form, with its alert.

    Its text stays in the browser until the form is submitted. `error` says why `value` was refused.
    The attributes are those of an `input` tag.
    """

    def __init__(
        self, label: str, *, name: str, value: str = "", error: str = "", **attributes: object
    ) -> None:
        super().__init__(
            label, html.input_, type="text", name=name, autocomplete="off", **attributes
        )
        with self:
            self._alert = Alert()
        self.control.props["aria-describedby"] = self._alert.html_id
        if value:  # the attribute: Vue writes a property over what is typed, with each change
            self.control.props["^value"] = value
        if error:
            self.refuse(error)

    def refuse(self, reason: str) -> None:
        """Show why the text is refused; its form focuses it."""
        self._alert.text = reason
        self.control.props["aria-invalid"] = True

    def accept(self) -> None:
        """Remove the reason, too."""
        if self._alert.text:
            self._alert.text = ""
        super().accept()
