"""What was written and not sent."""

from nicegui import ui

from ..i18n.language import current_language


class UnsentText(ui.element, component="unsent_text.js"):
    """Shows what this tab has stored under the key of a `Composer`, to be copied; else nothing."""

    def __init__(self, key: str) -> None:
        _ = current_language()
        super().__init__()
        self._props.update(storage_key=key, label=_("What you were writing"))
