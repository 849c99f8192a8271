"""NiceGUI: the way of its chat example, a list of messages that is drawn anew on each screen."""

import sys
from collections import deque

from fastapi import FastAPI
from nicegui import ui
from nicegui.events import GenericEventArguments

from tests.benchmarks.peers.uvicorn_server import serve

_SHOWN = 20

_messages: deque[tuple[str, str]] = deque((("Ann", "hello"),) * _SHOWN, maxlen=_SHOWN)


@ui.refreshable
def messages() -> None:
    """Draw all messages."""
    for nickname, text in _messages:
        ui.chat_message(text, name=nickname)


@ui.page("/")
def room() -> None:
    with ui.column():
        messages()
    ui.on("post", show)


def show(arguments: GenericEventArguments) -> None:
    """Draw the list with what was said on every screen."""
    _messages.append((arguments.args["nickname"], arguments.args["text"]))
    messages.refresh()


def main() -> None:
    web = FastAPI()
    ui.run_with(web, tailwind=False, reconnect_timeout=20, show_welcome_message=False)
    serve(web, int(sys.argv[1]))


if __name__ == "__main__":
    main()
