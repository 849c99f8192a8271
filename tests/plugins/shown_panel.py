"""Panels that are shown without a server."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from nicegui import Client, background_tasks, core, ui

from anonchat.plugins import Room
from anonchat.plugins.testing import Person


@dataclass
class ShownPanel:
    """A panel that is open."""

    client: Client
    watchers: list[Callable[[], Any]] = field(default_factory=list)

    def list_texts(self) -> list[str]:
        """Return the texts that are visible, from top to bottom."""
        elements = self.client.content.descendants()
        visible = [each for each in elements if _is_visible(each)]
        texts = [getattr(each, "text", None) for each in visible]
        return [text for text in texts if isinstance(text, str) and text]

    async def click(self, text: str) -> None:
        """Click the button with this text, then draw what has changed."""
        button = self.find(text)
        (listener,) = (each for each in button._event_listeners.values() if each.type == "click")
        others = {*background_tasks.running_tasks}
        button._handle_event({"listener_id": listener.id, "args": {}})
        await asyncio.gather(*background_tasks.running_tasks - others)
        await self.redraw()

    async def redraw(self) -> None:
        """Do what happens after a change of the state."""
        for watcher in self.watchers:
            with self.client.content:
                await _call(watcher)

    def find(self, text: str) -> Any:
        """Return the button with this text."""
        (button,) = (
            each
            for each in self.client.elements.values()
            if isinstance(each, ui.button) and each.text == text
        )
        return button


@asynccontextmanager
async def show_panel(person: Person, room: Room, title: str) -> AsyncIterator[ShownPanel]:
    """Open the panel with a title for a person."""
    host = person.chat.host
    (panel,) = (each for each in host.registry.panels.values() if each.title == title)
    client = Client(ui.page(""), request=Request({"type": "http", "path": "/", "headers": []}))
    core.loop = asyncio.get_running_loop()  # handlers run there
    shown = ShownPanel(client)
    try:
        with client.content:
            await host.show_panel(
                panel,
                room.id,
                person.visitor_id,
                language=person.chat.languages["en"],
                add_watcher=lambda room_id, plugin, watcher: shown.watchers.append(watcher),
            )
        yield shown
    finally:
        client.delete()


def _is_visible(element: ui.element) -> bool:
    return element.visible and all(each.visible for each in element.ancestors())


async def _call(handler: Callable[..., Any]) -> None:
    result = handler()
    if inspect.isawaitable(result):
        await result
