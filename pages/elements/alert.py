"""Alerts: why an action was refused, beside its control."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui.elements.mixins.text_element import TextElement

from anonchat import ChatError

from ..i18n.language import current_language


class Alert(TextElement):
    """A text that is read out when it appears; it is empty at first."""

    def __init__(self, text: str = "") -> None:
        super().__init__(tag="p", text=text)
        self.classes("alert").props("role=alert")

    @contextmanager
    def report_errors(self) -> Iterator[None]:
        """Show why what is done in the `with` block failed.

        A `ChatError` is shown and ends there; other exceptions propagate.
        """
        self.text = ""
        try:
            yield
        except ChatError as error:
            self.show_error(error)
        except Exception:
            _ = current_language()
            self.text = _("That did not work. Please try again.")
            raise

    def show_error(self, error: ChatError) -> None:
        """Show an error."""
        self.text = current_language().explain(error)
