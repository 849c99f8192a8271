"""A cache of drawn rows."""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from .row import Row


class DrawnRowCache:
    """Caches the last row of each entity and language, as long as the entity is in memory."""

    def __init__(self) -> None:
        self._rows: WeakKeyDictionary[object, dict[str, tuple[object, Row]]] = WeakKeyDictionary()

    def row(self, entity: object, state: object, code: str, draw: Callable[[], Row]) -> Row:
        """Return the cached row of an entity in this state, or draw and cache it."""
        rows = self._rows.setdefault(entity, {})
        cached = rows.get(code)
        if cached and cached[0] == state:
            return cached[1]
        row = draw()
        rows[code] = state, row
        return row
