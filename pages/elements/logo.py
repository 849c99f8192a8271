"""The logo."""

from nicegui.elements.mixins.text_element import TextElement


class Logo(TextElement):
    """Three dots, each fainter, and the name of the site; a link to the lobby."""

    def __init__(self, name: str) -> None:
        super().__init__(tag="a", text=name)
        self.classes("mark").props["href"] = "."
