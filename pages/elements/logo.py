"""The logo."""

from nicegui import html, ui


class Logo(ui.element):
    """Three dots, each fainter, and the name of the site; a link to the lobby."""

    def __init__(self, name: str) -> None:
        super().__init__("a")
        self.classes("mark").props["href"] = "."
        with self:
            with html.span().classes("dots").props("aria-hidden=true"):
                for _ in range(3):
                    html.i()
            html.span(name)
