"""Templates: elements drawn by htpy once, whose `{places}` are filled in for each row."""

from collections.abc import Iterable
from string import Formatter

from htpy import Element
from markupsafe import Markup, escape


class Template:
    """HTML with named places. Drawing its elements for each row would take ten times as long."""

    def __init__(self, element: Element) -> None:
        parts = [(html, name or "") for html, name, _, _ in Formatter().parse(str(element))]
        self._parts = [part for pair in parts for part in pair]
        self._names = [name for _, name in parts]

    def fill(self, **values: str) -> Markup:
        """Return the HTML with a value in each place; every value that is not HTML is escaped."""
        escaped = {name: escape(value) for name, value in values.items()}
        escaped[""] = Markup()
        parts = self._parts.copy()
        parts[1::2] = [escaped[name] for name in self._names]
        return Markup("".join(parts))


def join_html(parts: Iterable[str]) -> Markup:
    """Return the parts one after the other; every part that is not HTML is escaped."""
    return Markup().join(parts)
