"""Outboxes whose task runs only while there is something to send.

NiceGUI wakes the outbox of each page once a second, and that of a page that has not connected yet
ten times a second. A thousand idle pages took a sixth of a processor.
"""

import asyncio
from typing import NoReturn

from fastapi import Request
from nicegui import Client, background_tasks
from nicegui.outbox import Outbox
from starlette.responses import Response

_build_response = Client.build_response
_loop = Outbox.loop


class _Work(asyncio.Event):
    """Whether an outbox has something to send; its loop ends instead of waiting for that."""

    def wait(self) -> NoReturn:
        raise asyncio.CancelledError  # on which NiceGUI's loop ends


def install_idle_outboxes() -> None:
    """Make the loop of each outbox end when all is sent, and start again when there is more."""
    # The loop creates an event, and nobody but the outbox uses it.
    Outbox._enqueue_event = property(  # type: ignore[assignment]
        lambda self: self.__dict__.get("work"),
        lambda self, event: self.__dict__.update(work=event and _Work()),
    )
    Outbox.loop = _send_all  # type: ignore[method-assign]
    Outbox._set_enqueue_event = _wake  # type: ignore[method-assign]
    Client.build_response = _build_response_and_rest  # type: ignore[method-assign]


async def _send_all(self: Outbox) -> None:
    self.__dict__["is_sending"] = True
    try:
        await _loop(self)
    finally:
        self.__dict__["is_sending"] = False


def _wake(self: Outbox) -> None:
    if self._enqueue_event is None:  # its loop is yet to start, and looks for work then
        return
    self._enqueue_event.set()
    if not self.__dict__["is_sending"] and not self._should_stop:
        self.__dict__["is_sending"] = True  # before it runs: a second loop would mix up the order
        background_tasks.create(self.loop(), name="outbox")


def _build_response_and_rest(self: Client, request: Request, status_code: int = 200) -> Response:
    """Build the page; what it has in the outbox then is part of it."""
    response = _build_response(self, request, status_code)
    outbox = self.outbox
    if outbox._enqueue_event and not (outbox.updates or outbox.messages):
        outbox._enqueue_event.clear()
    return response
