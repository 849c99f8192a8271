"""What every live part of a screen is."""

from nicegui import json, ui


class Part(ui.element):
    """An element that lives inside HTML: it goes among the children of an htpy element.

    `drawn` is what the screen shows in it from the beginning. It travels with the HTML, which costs
    a tenth of what it would cost among the element's properties.
    """

    drawn: object = None

    def __html__(self) -> str:
        """Mark the place that this part takes; screen.js puts it there."""
        data = json.dumps(self.drawn).replace("<", "\\u003c")
        return f'<script type="application/json" data-part="{self.html_id}">{data}</script>'
