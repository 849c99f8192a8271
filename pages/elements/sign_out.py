"""The button that signs out."""

from nicegui import ui

from ..i18n.language import current_language


class SignOut(ui.element, component="sign_out.js"):
    """A button that ends the session over HTTP, which a lost connection does not prevent."""

    def __init__(self) -> None:
        super().__init__()
        _ = current_language()
        self._props.update(
            label=_("Yes, sign out"),
            failed=_("You could not be signed out. Please try again."),
        )
