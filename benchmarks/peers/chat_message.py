"""NiceGUI: each message is appended to each page as a `ui.chat_message`."""

import sys

from fastapi import FastAPI
from nicegui import app, ui
from nicegui.events import GenericEventArguments

from benchmarks.peers.uvicorn_server import serve

_columns: dict[str, ui.column] = {}


@ui.page("/")
def room() -> None:
    """Render the page."""
    client = ui.context.client
    _columns[client.id] = ui.column()
    client.on_delete(lambda: _columns.pop(client.id))
    ui.on("post", show)


def show(arguments: GenericEventArguments) -> None:
    """Append the message on every page."""
    for client in app.clients("/"):
        with _columns[client.id]:
            ui.chat_message(arguments.args["text"], name=arguments.args["nickname"])


def main() -> None:
    """Serve on the port of the command line."""
    web = FastAPI()
    ui.run_with(web, tailwind=False, reconnect_timeout=20, show_welcome_message=False)
    serve(web, int(sys.argv[1]))


if __name__ == "__main__":
    main()
