"""The base class of the NiceGUI elements."""

from nicegui import json, ui

from anonchat import WorkBudget

from ..transport import websocket
from .page_budget import PageBudget


class Component(ui.element):
    """A NiceGUI element that can be a child of an htpy element.

    `initial_content` is sent inside the HTML, at a tenth of the cost of an element property.
    """

    initial_content: object = None

    def __init__(self, budget: WorkBudget) -> None:
        super().__init__()
        self.work = PageBudget(budget, self.client.request)

    async def call_script(self, method: str, *arguments: object) -> int:
        """Call a method of the script, at most once; return how many characters were sent.

        It bypasses NiceGUI's outbox, whose resends could contain expired content. A page that was
        offline synchronises when it reconnects.
        """
        code = f"return runMethod({self.id}, {json.dumps(method)}, {json.dumps(arguments)})"
        await websocket.broadcast("run_javascript", {"code": code}, room=self.client.id)
        return len(code)

    def __html__(self) -> str:
        """Return a placeholder with the initial content; screen.js replaces it by the element."""
        data = json.dumps(self.initial_content).replace("<", "\\u003c")
        return f'<script type="application/json" data-part="{self.html_id}">{data}</script>'
