"""What was drawn already."""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from .row import Row


class Drawn:
    """Keeps the last drawing of a noun in each language, for as long as the chat keeps the noun."""

    def __init__(self) -> None:
        self._rows: WeakKeyDictionary[object, dict[str, tuple[object, Row]]] = WeakKeyDictionary()

    def row(self, noun: object, state: object, code: str, draw: Callable[[], Row]) -> Row:
        """Return the row of a noun in that state; draw it if it was not drawn so before."""
        drawings = self._rows.setdefault(noun, {})
        known = drawings.get(code)
        if known and known[0] == state:
            return known[1]
        row = draw()
        drawings[code] = state, row
        return row
