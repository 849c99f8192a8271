"""A Django Channels group over the in-memory layer, as in the tutorial of Channels."""

import json
import sys
from typing import Any

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import re_path

from benchmarks.peers.uvicorn_server import serve

_CAPACITY = 10_000  # the default of 100 loses messages when the process is busy


class RoomConsumer(AsyncWebsocketConsumer):
    """One connection to a room."""

    async def connect(self) -> None:
        """Join the group of the room."""
        self.group = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send the message to the group."""
        content = json.loads(text_data or "{}")
        message = {"type": "chat.message", "nickname": content["nickname"], "text": content["text"]}
        await self.channel_layer.group_send(self.group, message)

    async def chat_message(self, event: dict[str, Any]) -> None:
        """Send the message of the group to this connection."""
        message = {"nickname": event["nickname"], "text": event["text"]}
        await self.send(text_data=json.dumps(message))


def main() -> None:
    """Serve on the port of the command line."""
    layer = {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": _CAPACITY}}
    settings.configure(CHANNEL_LAYERS={"default": layer}, ALLOWED_HOSTS=["*"], ROOT_URLCONF=())
    django.setup()
    routes = URLRouter([re_path(r"^(?P<room>[\w-]+)$", RoomConsumer.as_asgi())])
    app = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": routes})
    serve(app, int(sys.argv[1]))


if __name__ == "__main__":
    main()
