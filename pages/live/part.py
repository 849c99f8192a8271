"""What every live part of a screen is."""

from nicegui import json, ui

from anonchat import WorkBudget

from . import lines
from .work import PageWork


class Part(ui.element):
    """An element that lives inside HTML: it goes among the children of an htpy element.

    `drawn` is what the screen shows in it from the beginning. It travels with the HTML, which costs
    a tenth of what it would cost among the element's properties.
    """

    drawn: object = None

    def __init__(self, budget: WorkBudget) -> None:
        super().__init__()
        self.work = PageWork(budget, self.client.request)

    async def tell(self, method: str, *arguments: object) -> int:
        """Call a method of the script now, or never: a screen that is cut off asks again.

        What goes through NiceGUI's outbox is kept there to be sent again, and what has ended
        meanwhile would come back in it. Returns how many characters were sent.
        """
        code = f"return runMethod({self.id}, {json.dumps(method)}, {json.dumps(arguments)})"
        await lines.send("run_javascript", {"code": code}, room=self.client.id)
        return len(code)

    def __html__(self) -> str:
        """Mark the place that this part takes; screen.js puts it there."""
        data = json.dumps(self.drawn).replace("<", "\\u003c")
        return f'<script type="application/json" data-part="{self.html_id}">{data}</script>'
