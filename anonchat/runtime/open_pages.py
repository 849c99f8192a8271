"""Visitors with an open page or event stream on this node."""

from collections.abc import Callable, Iterable


class OpenPages:
    """Combines the visitors of all sources of connections."""

    def __init__(self) -> None:
        self._sources: list[Callable[[], Iterable[str]]] = []

    def add_source(self, list_visitors: Callable[[], Iterable[str]]) -> None:
        """Add a source: a function that returns the visitors with a connection."""
        self._sources.append(list_visitors)

    def list_visitors(self) -> set[str]:
        """Return the ids of all visitors with an open page or stream."""
        return {visitor_id for source in self._sources for visitor_id in source()}
