"""QR codes."""

import segno
from nicegui import ui

from ..i18n.language import current_language

_BORDER = 2  # modules; half of the usual one, because the element has a margin of its own


class QrCode(ui.element):
    """A picture of a QR code with a URL, in black on white whatever the theme."""

    def __init__(self, url: str) -> None:
        super().__init__("img")
        _ = current_language()
        self.classes("qr-code")
        self.props.update(alt=_("QR code"), width=180, height=180)
        self.show(url)

    def show(self, url: str) -> None:
        """Show another URL."""
        code = segno.make_qr(url, error="m")
        self.props["src"] = code.svg_data_uri(border=_BORDER, light="#fff", omitsize=True)
