"""Text fields."""

from nicegui import html, ui


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
            alert = html.p(error).classes("alert").props("role=alert")
        caption.props["for"] = self.input.html_id
        self.input.props["aria-describedby"] = alert.html_id
        if value:  # an empty one would be written over what is typed, with each change of the page
            self.input.props["value"] = value
        if error:
            self.input.props["aria-invalid"] = True
