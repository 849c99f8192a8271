"""What a test holds in its hand: the time, and a chat of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text as sql
from sqlmodel import select

from anonchat import Chat, Event, MemoryBus, Room, Settings, Visitor, WorkBudget
from anonchat.bus import ValkeyBus
from anonchat.keystore import generation_of
from anonchat.limits import Limit, Limits
from anonchat.rates import UNLIMITED as unlimited
from anonchat.rates import Rate
from anonchat.seal import Hasher
from models import SpanRow
from tests.servers.sqlite import lay_out_tables

UNLIMITED = {
    name: str(unlimited)
    for name, field in Settings.model_fields.items()
    if isinstance(field.default, Rate)
}
"""Settings of a chat in which anything may be done as often as one likes."""

_Kind = TypeVar("_Kind", bound=Event)


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def begin(self) -> None:
        """Stand where it stands."""

    def resume(self, moment: datetime) -> None:
        """Go on from that moment if it is not over yet."""
        self.now = max(self.now, moment)

    def move(self, by: timedelta) -> None:
        """Let so much time pass."""
        self.now += by


class Ear:
    """Hears every event of a chat."""

    def __init__(self, chat: Chat) -> None:
        self.heard: list[Event] = []
        chat.bus.subscribe(self._on_event)

    def all(self, kind: type[_Kind]) -> list[_Kind]:
        """Return what was heard of this kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def _on_event(self, event: Event) -> None:
        self.heard.append(event)


def locate(_folder: Path) -> dict[str, object]:
    """Return where the database and the bus are that belong to a folder, if not in there."""
    return {}


def make_settings(folder: Path, **changes: object) -> Settings:
    """Return the settings of a chat that keeps all in `folder` and holds nobody back."""
    unbounded = {**UNLIMITED, "waiting_posts_max": 10_000}
    return Settings.model_validate({"data_dir": folder, **locate(folder), **unbounded, **changes})


def make_limit(rate: Rate, clock: FakeClock) -> Limit:
    """Return a limit by itself."""
    return Limit(rate, clock, lambda day: str(day).encode())


def make_work_budget(clock: FakeClock, **rates: str) -> WorkBudget:
    """Return a work budget by itself."""
    settings = Settings.model_validate(UNLIMITED | rates)
    hasher = Hasher(lambda: b"key of a test")
    return WorkBudget(Limits(settings, clock=clock, bus=MemoryBus(), hasher=hasher))


@asynccontextmanager
async def running_chat(folder: Path, clock: FakeClock, **changes: object) -> AsyncIterator[Chat]:
    """Give a started chat; its janitor sleeps longer than any test lasts."""
    settings = make_settings(folder, **changes)
    lay_out_tables(settings)
    chat = Chat(settings, clock=clock)
    await chat.start()
    try:
        yield chat
    finally:
        await chat.stop()


async def crash(chat: Chat) -> None:
    """Let go of everything without finishing anything, as a killed process does."""
    chat._pulse.stop()
    await chat._store_pulse.end()
    await chat.janitor.stop()
    if isinstance(chat.bus, ValkeyBus):
        chat.bus._waiting.clear()
    await chat.bus.stop()
    if chat._valkey:
        await chat._valkey.close()
    await chat._database.close()
    chat._keys.close()


async def come_in(chat: Chat, nickname: str) -> Visitor:
    """Make a visitor who was recognised once, and whose token does not matter any more."""
    _, token = await chat.identity.come_in(nickname)
    visitor = await chat.identity.recognise(token)
    assert visitor
    return visitor


async def gather_in(chat: Chat, name: str, *nicknames: str) -> tuple[Room, list[Visitor]]:
    """Open a room, and let visitors of these nicknames join it."""
    visitors = [await come_in(chat, nickname) for nickname in nicknames]
    room = await chat.rooms.open(name, visitor_id=visitors[0].id)
    for visitor in visitors:
        await chat.memberships.join(room.id, visitor_id=visitor.id)
    return room, visitors


async def say(chat: Chat, room: Room, visitor: Visitor, *texts: str) -> None:
    """Post these texts one after the other, and wait until everybody has heard of them."""
    for text in texts:
        await chat.messages.post(room.id, visitor_id=visitor.id, text=text)
    await chat.messages.finish()


async def read(chat: Chat, room: Room, visitor: Visitor, *, limit: int = 200) -> list[str]:
    """Return the texts that the visitor may read now, oldest first."""
    history = await chat.messages.history(room.id, visitor_id=visitor.id, limit=limit)
    return [message.text for message in history]


async def find_unsettled(chat: Chat) -> list[int]:
    """Return the spans in which something that was deleted could still be opened."""
    async with chat._database.reading() as session:
        renewed = {span.number: span.generation for span in await session.exec(select(SpanRow))}
    return [
        number
        for number, generation in renewed.items()
        if any(generation_of(name) < generation for name in chat._keys.names_of_span(number))
    ]


def bytes_in(folder: Path) -> bytes:
    """Return every byte of every file under `folder`."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def execute(chat: Chat, statement: str) -> list[tuple[Any, ...]]:
    """Do something in the database behind the back of the chat; return the rows."""
    async with chat._database.transaction() as session:
        result = await (await session.connection()).execute(sql(statement))
        return [tuple(row) for row in result] if result.returns_rows else []
