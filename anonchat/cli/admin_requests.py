"""What an operator can ask of a chat: each request returns JSON."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ..chat import Chat
from ..durations import parse_duration
from ..services.expiry import PurgeResult

AdminResponse = dict[str, Any]
"""The result of a request, as JSON."""

_Arguments = Mapping[str, str]


def purge_answer(purge: PurgeResult) -> AdminResponse:
    """Return the result of a purge."""
    return {"messages": purge.messages, "rooms": purge.rooms, "visitors": purge.visitors}


async def _purge(chat: Chat, _: _Arguments) -> AdminResponse:
    return purge_answer(await chat.purge())


async def _count(chat: Chat, _: _Arguments) -> AdminResponse:
    counts = await chat.admin_stats.count()
    return {name: _to_json(value) for name, value in asdict(counts).items()}


async def _list_rooms(chat: Chat, _: _Arguments) -> AdminResponse:
    rooms = await chat.admin_stats.list_rooms()
    return {
        "rooms": [
            {
                "name": entry.room.name,
                "slug": entry.room.slug,
                "listed": entry.room.listed,
                "members": entry.members,
                "messages": entry.messages,
                "ends": _to_json(entry.room.expires_at),
            }
            for entry in rooms
        ]
    }


async def _close_room(chat: Chat, arguments: _Arguments) -> AdminResponse:
    name, duration = arguments["name"], arguments["duration"]
    room = await chat.rooms.find_by_name(name) or await chat.rooms.find(name)
    until = chat.clock() + parse_duration(duration) if duration and room.listed else None
    messages = await chat.room_deletion.close(room.id, until=until)
    return {"messages": messages, "closed_until": _to_json(until)}


async def _remove_visitor(chat: Chat, arguments: _Arguments) -> AdminResponse:
    visitor = await chat.identity.find(arguments["nickname"])
    return {"messages": await chat.identity.forget(visitor.id)}


def _to_json(value: object) -> object:
    """Return a datetime in ISO 8601 with seconds; other values are JSON already."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value


REQUESTS: Mapping[str, Callable[[Chat, _Arguments], Awaitable[AdminResponse]]] = {
    "purge": _purge,
    "stats": _count,
    "rooms": _list_rooms,
    "close-room": _close_room,
    "remove-visitor": _remove_visitor,
}
"""All requests by name; a refusal is a `ChatError`."""
