"""The base class of the elements that have a script and follow the connection of their page."""

from nicegui import Client, background_tasks, json, ui

from ..transport import websocket
from .page_budget import PageBudget, current_budget


class Component(ui.element):
    """A NiceGUI element with a script of its own.

    NiceGUI's handlers of connections belong to the page. These methods end with the element, so
    nothing piles up on a page whose content changes.
    """

    def __init__(self, tag: str | None = None) -> None:
        super().__init__(tag)
        self.work: PageBudget = current_budget()

    async def handle_connect(self) -> None:
        """Do what is necessary when the page has connected, or connected again."""

    async def handle_disconnect(self) -> None:
        """Do what is necessary when the page has lost its connection."""

    async def call_script(self, method: str, *arguments: object) -> int:
        """Call a method of the script, at most once; return how many characters were sent.

        It bypasses NiceGUI's outbox, whose resends could contain expired content. A page that was
        offline synchronises when it reconnects.
        """
        code = f"return runMethod({self.id}, {json.dumps(method)}, {json.dumps(arguments)})"
        await websocket.broadcast("run_javascript", {"code": code}, room=self.client.id)
        return len(code)


def follow_connection(client: Client) -> None:
    """Call the components of a page when it connects and disconnects."""
    client.on_connect(lambda: connect(client.layout))
    client.on_disconnect(lambda: _disconnect(client.layout))


def connect(root: ui.element) -> None:
    """Call `handle_connect` of the components below an element, each in a task of its own."""
    for component in _components(root):
        background_tasks.create(component.handle_connect(), name="component connected")


def _disconnect(root: ui.element) -> None:
    for component in _components(root):
        background_tasks.create(component.handle_disconnect(), name="component disconnected")


def _components(root: ui.element) -> list[Component]:
    return [
        element for element in root.descendants(include_self=True) if isinstance(element, Component)
    ]
