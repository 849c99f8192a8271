"""What visitors show of themselves to the members of their rooms."""

from dataclasses import replace

from sqlmodel import col, select

from models import VisitorRow

from ..bus import Bus
from ..entities import Preferences
from ..errors import UnknownVisitor
from ..events import Event, EventsLost, PreferencesChanged, VisitorForgotten
from ..limits.rate_limits import Limits
from ..runtime.bounded_dict import BoundedDict
from ..security.row_cipher import RowCipher
from ..storage.conflicts import retry_on_conflict
from ..storage.database import Database

_CACHED_MAX = 10_000


class VisitorPreferences:
    """Reads and changes the preferences of visitors, which are sealed with their nicknames."""

    def __init__(self, *, database: Database, bus: Bus, limits: Limits, cipher: RowCipher) -> None:
        self._database = database
        self._bus = bus
        self._limits = limits
        self._cipher = cipher
        self._cache: BoundedDict[str, Preferences] = BoundedDict(_CACHED_MAX)
        bus.subscribe(self._on_event)

    async def get(self, visitor_id: str) -> Preferences:
        """Return the preferences of a visitor; those of a new one if there is none.

        Raises `Unavailable`.
        """
        if (cached := self._cache.get(visitor_id)) is not None:
            return cached
        query = select(VisitorRow).where(col(VisitorRow.id) == visitor_id)
        async with self._database.read_session(visitor_id) as session:
            row = (await session.exec(query)).first()
        visitor = await self._cipher.fetch_visitor(row) if row else None
        if visitor is None:
            return Preferences()
        # They may have been changed meanwhile.
        return self._cache.setdefault(visitor_id, visitor.preferences)

    async def change(
        self,
        visitor_id: str,
        *,
        shows_typing: bool | None = None,
        shows_presence: bool | None = None,
    ) -> Preferences:
        """Change what is not `None`, on all nodes, at once; return all preferences.

        Raises `UnknownVisitor`, `RateLimited` or `Unavailable`.
        """
        self._limits.preferences.hit(visitor_id)
        changes = {"shows_typing": shows_typing, "shows_presence": shows_presence}
        given = {name: value for name, value in changes.items() if value is not None}
        preferences = await self._store(visitor_id, given)
        await self._bus.publish(PreferencesChanged(visitor_id, preferences))
        return preferences

    @retry_on_conflict
    async def _store(self, visitor_id: str, changes: dict[str, bool]) -> Preferences:
        async with self._database.transaction(visitor_id) as session:
            row = await session.get(VisitorRow, visitor_id, with_for_update=True)
            visitor = await self._cipher.fetch_visitor(row) if row else None
            if row is None or visitor is None:
                raise UnknownVisitor
            preferences = replace(visitor.preferences, **changes)
            row.sealed = await self._cipher.encrypt_visitor(
                row.id,
                nickname=visitor.nickname,
                badge=visitor.badge,
                preferences=preferences,
            )
        return preferences

    async def _on_event(self, event: Event) -> None:
        match event:
            case PreferencesChanged(visitor_id, preferences):
                self._cache[visitor_id] = preferences
            case VisitorForgotten(visitor_id):
                self._cache.pop(visitor_id, None)
            case EventsLost():
                self._cache.clear()
