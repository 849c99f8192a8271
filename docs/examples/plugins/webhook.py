"""An incoming webhook: other programs post into a room.

The owner of a room types `/webhook` and is told a URL, as whom is posted then:

    curl -d '{"text": "The build is green."}' -H 'Content-Type: application/json' URL
"""

import secrets
from typing import Annotated

from fastapi import HTTPException
from pydantic import BaseModel, Field

from anonchat.plugins import Chat, Member, Plugin, Room, RoomState

plugin = Plugin("webhook")


class Call(BaseModel):
    text: Annotated[str, Field(min_length=1, max_length=4000)]


@plugin.command("webhook", who="owner")
async def open_webhook(chat: Chat, room: Room, member: Member, state: RoomState) -> str:
    """Get a URL at which programs post here, in your name."""
    secret = secrets.token_urlsafe(16)
    await state.change(lambda values: values.update(secret=secret, author=member.author))
    return f"{chat.base_url}/plugins/webhook/{room.id}/{secret}"


@plugin.router.post("/{room_id}/{secret}", status_code=204)
async def receive(room_id: str, secret: str, call: Call) -> None:
    chat = plugin.chat
    room = chat.find_room(room_id)
    kept = await chat.state(room).items()
    if not secrets.compare_digest(secret.encode(), str(kept.get("secret", "")).encode()):
        raise HTTPException(404)
    await chat.post(room, await chat.find_member(room, str(kept["author"])), call.text)
