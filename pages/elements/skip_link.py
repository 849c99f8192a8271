"""The link that leads past what is the same on each page."""

import json

from nicegui.elements.mixins.text_element import TextElement


class SkipLink(TextElement):
    """A link, shown on focus, that moves the focus to the first element of a CSS selector."""

    def __init__(self, text: str, *, to: str) -> None:
        super().__init__(tag="a", text=text)
        self.classes("button skip-link").props["href"] = "#"
        handler = f"() => document.querySelector({json.dumps(to)}).focus()"
        self.on("click.prevent", js_handler=handler)
