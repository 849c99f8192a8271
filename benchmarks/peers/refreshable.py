"""NiceGUI, as in its chat example: a list of messages that each page renders again."""

import sys
from collections import deque

from fastapi import FastAPI
from nicegui import ui
from nicegui.events import GenericEventArguments

from benchmarks.peers.uvicorn_server import serve

_SHOWN = 20

_messages: deque[tuple[str, str]] = deque((("Ann", "hello"),) * _SHOWN, maxlen=_SHOWN)


@ui.refreshable
def messages() -> None:
    """Render all messages."""
    for nickname, text in _messages:
        ui.chat_message(text, name=nickname)


@ui.page("/")
def room() -> None:
    """Render the page."""
    with ui.column():
        messages()
    ui.on("post", show)


def show(arguments: GenericEventArguments) -> None:
    """Add the message and render the list on every page."""
    _messages.append((arguments.args["nickname"], arguments.args["text"]))
    messages.refresh()


def main() -> None:
    """Serve on the port of the command line."""
    web = FastAPI()
    ui.run_with(web, tailwind=False, reconnect_timeout=20, show_welcome_message=False)
    serve(web, int(sys.argv[1]))


if __name__ == "__main__":
    main()
