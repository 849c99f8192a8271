"""Text fields."""

from nicegui import html, ui

from .alert import Alert


class TextField(ui.element):
    """A text field of a form, with its label and its alert.

    Its text stays in the browser until the form is submitted. `error` says why `value` was refused.
    The attributes are those of an `input` tag; elements created in `with field.box:` stand beside
    the text.
    """

    def __init__(
        self, label: str, *, name: str, value: str = "", error: str = "", **attributes: object
    ) -> None:
        super().__init__("div")
        self.classes("labelled")
        with self:
            caption = html.label(label)
            with html.div().classes("field") as self.box:
                self.input = html.input_(type="text", name=name, autocomplete="off", **attributes)
            self._alert = Alert()
        caption.props["for"] = self.input.html_id
        self.input.props["aria-describedby"] = self._alert.html_id
        if value:  # the attribute: Vue writes a property over what is typed, with each change
            self.input.props["^value"] = value
        if error:
            self._show_error(error)

    def refuse(self, reason: str) -> None:
        """Show why the text is refused; its form focuses it."""
        self._show_error(reason)

    def accept(self) -> None:
        """Remove the reason."""
        if self._alert.text:
            self._alert.text = ""
            self.input.props["aria-invalid"] = False

    def _show_error(self, reason: str) -> None:
        self._alert.text = reason
        self.input.props["aria-invalid"] = True
