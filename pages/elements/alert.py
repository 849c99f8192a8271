"""Alerts: why an action was refused, beside its control."""

from collections.abc import Iterator
from contextlib import contextmanager

from markupsafe import escape
from nicegui import ui

from anonchat import ChatError

from ..i18n.language import current_language


class Alert(ui.element, component="alert.js", dependencies=["reason.js"]):
    """A text that is read out when it appears; it is empty at first.

    The seconds of a rate limit are counted down, and it disappears at the end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.classes("alert")
        self._props["reason"] = ["", 0]

    @property
    def text(self) -> str:
        """The text, or "" if there is none."""
        text: str = self._props["reason"][0]
        return text

    @text.setter
    def text(self, text: str) -> None:
        if text != self.text:
            self._show(text)

    def paint(self) -> str:
        """Return the text as HTML."""
        classes = " ".join(self.classes)
        return f'<p id="{self.html_id}" class="{classes}" role="alert">{escape(self.text)}</p>'

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
        self._show(*current_language().reason(error))

    def _show(self, text: str, seconds: int = 0) -> None:
        self._props["reason"] = [text, seconds]
        self.update()
