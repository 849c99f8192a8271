"""Test helpers: a fake clock, settings, running chats and their contents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text as sql
from sqlmodel import select

from anonchat import Bus, Chat, Event, Room, Settings, Theme, Visitor, WorkBudget
from anonchat.bus import ValkeyBus
from anonchat.crypto import Hasher
from anonchat.limits.limit import Limit
from anonchat.limits.rate_limits import Limits
from anonchat.plugins.builtin.themes import plugin as _themes_plugin
from anonchat.plugins.testing import StillClock as FakeClock
from anonchat.rates import UNLIMITED as unlimited
from anonchat.rates import Rate
from anonchat.security.key_names import key_generation
from models import SpanRow
from tests.servers.sqlite import lay_out_tables

UNLIMITED = {
    name: str(unlimited)
    for name, field in Settings.model_fields.items()
    if isinstance(field.default, Rate)
}
"""Settings that disable all rate limits."""

THEMES: dict[str, Theme] = {theme.name: theme for theme in _themes_plugin.themes}
"""The themes that come with anonchat, by name."""

_EventT = TypeVar("_EventT", bound=Event)


class EventRecorder:
    """Records all events of a chat."""

    def __init__(self, chat: Chat) -> None:
        self.events: list[Event] = []
        chat.bus.subscribe(self._on_event)

    def of_type(self, kind: type[_EventT]) -> list[_EventT]:
        """Return the recorded events of this class."""
        return [event for event in self.events if isinstance(event, kind)]

    async def _on_event(self, event: Event) -> None:
        self.events.append(event)


def locate(_folder: Path) -> dict[str, object]:
    """Return the settings of an external database and bus for this data folder; none by default."""
    return {}


def make_settings(folder: Path, **changes: object) -> Settings:
    """Return settings with the data in `folder` and without rate limits."""
    unlimited_settings = {**UNLIMITED, "post_queue_max": 10_000}
    return Settings.model_validate(
        {"data_dir": folder, **locate(folder), **unlimited_settings, **changes}
    )


def make_limit(rate: Rate, clock: FakeClock) -> Limit:
    """Return a single limit."""
    return Limit(rate, clock, lambda day: str(day).encode())


def make_work_budget(clock: FakeClock, **rates: str) -> WorkBudget:
    """Return a work budget without a chat."""
    settings = Settings.model_validate(UNLIMITED | rates)
    hasher = Hasher(lambda: b"key of a test")
    return WorkBudget(Limits(settings, clock=clock, bus=Bus(), hasher=hasher))


@asynccontextmanager
async def running_chat(folder: Path, clock: FakeClock, **changes: object) -> AsyncIterator[Chat]:
    """Run a chat; the interval of its janitor is longer than any test."""
    settings = make_settings(folder, **changes)
    lay_out_tables(settings)
    chat = Chat(settings, clock=clock)
    await chat.start()
    try:
        yield chat
    finally:
        await chat.stop()


async def crash(chat: Chat) -> None:
    """Release all resources without finishing any work, as a killed process does."""
    chat._heartbeat.stop()
    await chat._valkey_check.end()
    await chat.janitor.stop()
    if isinstance(chat.bus, ValkeyBus):
        chat.bus._outbox._queue.clear()
    await chat.bus.stop()
    if chat._valkey:
        await chat._valkey.close()
    await chat._database.close()
    chat._keys.close()


async def sign_in(chat: Chat, nickname: str) -> Visitor:
    """Create a visitor and authenticate their token once; return the visitor."""
    _, token = await chat.identity.sign_in(nickname)
    visitor = await chat.identity.authenticate(token)
    assert visitor
    return visitor


async def create_room_with_members(
    chat: Chat, name: str, *nicknames: str
) -> tuple[Room, list[Visitor]]:
    """Open a room, and join new visitors with these nicknames."""
    visitors = [await sign_in(chat, nickname) for nickname in nicknames]
    room = await chat.rooms.open(name, visitor_id=visitors[0].id)
    for visitor in visitors:
        await chat.memberships.join(room.id, visitor_id=visitor.id)
    return room, visitors


async def post_messages(chat: Chat, room: Room, visitor: Visitor, *texts: str) -> None:
    """Post these texts in order, and wait until their events are published."""
    for text in texts:
        await chat.messages.post(room.id, visitor_id=visitor.id, text=text)
    await chat.messages.flush()


async def read(chat: Chat, room: Room, visitor: Visitor, *, limit: int = 200) -> list[str]:
    """Return the texts that the visitor may read now, oldest first."""
    history = await chat.messages.history(room.id, visitor_id=visitor.id, limit=limit)
    return [message.text for message in history]


async def find_decryptable_deleted_spans(chat: Chat) -> list[int]:
    """Return the spans in which a deleted message could still be decrypted."""
    async with chat._database.read_session() as session:
        renewed = {span.number: span.generation for span in await session.exec(select(SpanRow))}
    return [
        number
        for number, generation in renewed.items()
        if any(key_generation(name) < generation for name in chat._keys.span_key_names(number))
    ]


def read_all_bytes(folder: Path) -> bytes:
    """Return every byte of every file under `folder`."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def execute(chat: Chat, statement: str) -> list[tuple[Any, ...]]:
    """Execute SQL directly in the database of the chat; return the rows."""
    async with chat._database.transaction() as session:
        result = await (await session.connection()).execute(sql(statement))
        return [tuple(row) for row in result] if result.returns_rows else []
