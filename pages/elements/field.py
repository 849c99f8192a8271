"""The fields of forms."""

from collections.abc import Callable

from nicegui import html, ui


class Field(ui.element):
    """A field of a form: a label, and a box with a control that `create` makes.

    Elements created in `with field.box:` stand beside the control.
    """

    def __init__(self, label: str, create: Callable[..., ui.element], **attributes: object) -> None:
        super().__init__("div")
        self.classes("labelled")
        with self:
            caption = html.label(label)
            with html.div().classes("field") as self.box:
                self.control = create(**attributes)
        caption.props["for"] = self.control.html_id

    def accept(self) -> None:
        """Remove the mark of a refused field."""
        if self.control.props.get("aria-invalid"):
            self.control.props["aria-invalid"] = False
