"""States of rooms: what plugins keep for each room."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pydantic import JsonValue
from sqlmodel import col, select

from models import RoomRow, RoomStateRow

from ..bus import Bus
from ..errors import N_, LimitReached, NotFound
from ..events import Event, EventsLost, RoomChanged, RoomEnded, RoomStateChanged
from ..runtime.clock import Clock
from ..runtime.locks import KeyedLocks
from ..security.row_cipher import RowCipher
from ..storage.conflicts import ConnectionLost, retry_on_conflict
from ..storage.database import Database
from ..storage.room_cache import RoomCache

STATE_BYTES_MAX = 65_536
"""The greatest size of the state of one plugin in one room, as compact JSON."""

_CHARACTERS_CACHED_MAX = 10_000_000
_OVERHEAD_CHARACTERS = 500  # of a room without any state
_EMPTY = "{}"
_FOR_KEY_SHARE = {"read": True, "key_share": True}  # so that the room is not ended meanwhile


@dataclass(frozen=True, slots=True)
class _States:
    """The states of a room, as JSON by plugin; cached until the room may have expired."""

    texts: dict[str, str]
    expires_at: datetime

    def measure(self) -> int:
        """Return how many characters all of it is worth."""
        return _OVERHEAD_CHARACTERS + sum(map(len, self.texts.values()))


class RoomStates:
    """Keeps for each room and plugin a dictionary of JSON values, which is gone with the room.

    The database work is done for a room, not for a visitor (see `Database`).
    """

    def __init__(self, *, database: Database, bus: Bus, clock: Clock, cipher: RowCipher) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._cipher = cipher
        self._states: RoomCache[_States] = RoomCache(
            _CHARACTERS_CACHED_MAX, bus.room_epoch, measure=_States.measure
        )
        self._reading: KeyedLocks[str] = KeyedLocks()
        bus.subscribe(self._on_event)

    async def read(self, room_id: str, plugin: str) -> dict[str, JsonValue]:
        """Return a copy of the state of a plugin in a room; it is empty until the first change.

        Raises `NotFound` if the room has ended, `LimitReached` or `Unavailable`.
        """
        states = self._find_cached(room_id)
        if states is None:
            async with self._reading.hold(room_id):  # so that many readers cost one query
                states = self._find_cached(room_id)
                if states is None:
                    self._states.invalidate(room_id)
                    load = partial(self._load, room_id)
                    states = await self._states.get_or_load(room_id, load)
        if not self._cipher.has_room_key(room_id):
            raise NotFound
        return _decode(states.texts.get(plugin, _EMPTY))

    async def list_rooms(self, plugin: str) -> list[str]:
        """Return the ids of the rooms that have a state of a plugin. Raises `Unavailable`."""
        query = select(RoomStateRow.room_id).where(RoomStateRow.plugin == plugin)
        async with self._database.read_session() as session:
            return list((await session.exec(query)).all())

    async def change(
        self, room_id: str, plugin: str, change: Callable[[dict[str, JsonValue]], object]
    ) -> None:
        """Call `change` with the state of a plugin in a room, and store what it has become.

        No other change happens in between, on any node. After a conflict `change` is called again,
        with the newer state. If it raises, nothing is stored. Raises `LimitReached` beyond
        `STATE_BYTES_MAX`, `ValueError` if the state is not JSON any more, `NotFound` if the room
        has ended, or `Unavailable`.
        """
        is_changed = False
        try:
            is_changed = await self._apply(room_id, plugin, change)
        except (ConnectionLost, asyncio.CancelledError):
            is_changed = True  # perhaps: it may have been committed
            raise
        finally:
            if is_changed:
                await self._bus.publish(RoomStateChanged(room_id, plugin))

    @retry_on_conflict
    async def _apply(
        self, room_id: str, plugin: str, change: Callable[[dict[str, JsonValue]], object]
    ) -> bool:
        """Store a change; return whether the state is another one now."""
        async with self._database.transaction(room_id) as session:
            room = await session.get(RoomRow, room_id, with_for_update=_FOR_KEY_SHARE)
            if room is None or room.expires_at <= self._clock():
                raise NotFound
            await self._cipher.fetch_state_key(room_id)
            row = await session.get(RoomStateRow, (room_id, plugin), with_for_update=True)
            before = (self._cipher.decrypt_state(row) if row else None) or _EMPTY
            state = _decode(before)
            change(state)
            after = _encode(state, plugin)
            if after == before:
                return False
            if after == _EMPTY:  # so that it is not listed any more
                await session.delete(row)
                return True
            sealed = self._cipher.encrypt_state(room_id, plugin, after)
            if sealed is None:
                raise NotFound
            row = row or RoomStateRow(room_id=room_id, plugin=plugin, sealed=sealed)
            row.sealed = sealed
            session.add(row)
        return True

    def _find_cached(self, room_id: str) -> _States | None:
        states = self._states.get(room_id)
        return states if states and states.expires_at > self._clock() else None

    async def _load(self, room_id: str) -> _States:
        query = select(RoomRow.expires_at, RoomStateRow).join(RoomStateRow, isouter=True)
        async with self._database.read_session(room_id) as session:
            found = (await session.exec(query.where(col(RoomRow.id) == room_id))).all()
        if not found or found[0][0] <= self._clock():
            raise NotFound
        await self._cipher.fetch_state_key(room_id)
        # The join returns no state for a room without any.
        states = {row.plugin: self._cipher.decrypt_state(row) for _, row in found if row}
        texts = {plugin: text for plugin, text in states.items() if text}
        return _States(texts, expires_at=found[0][0])

    async def _on_event(self, event: Event) -> None:
        match event:
            case RoomStateChanged(room_id) | RoomEnded(room_id):
                self._states.invalidate(room_id)
            case RoomChanged(room):  # it may expire sooner
                self._states.invalidate(room.id)
            case EventsLost():
                self._states.clear()


def _decode(text: str) -> dict[str, JsonValue]:
    state: dict[str, JsonValue] = json.loads(text)
    return state


def _encode(state: dict[str, JsonValue], plugin: str) -> str:
    """Return the state as compact JSON; raise `ValueError` or `LimitReached`."""
    try:
        text = json.dumps(state, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"what {plugin} keeps for a room is not JSON: {error}") from error
    if size > STATE_BYTES_MAX:
        raise LimitReached(N_("This room cannot keep more of that."))
    return text
