"""Which visitors have a page or an event stream open on this node."""

from collections.abc import Callable, Iterable


class OpenScreens:
    """Asks whoever holds connections for their visitors."""

    def __init__(self) -> None:
        self._sources: list[Callable[[], Iterable[str]]] = []

    def add_source(self, list_visitors: Callable[[], Iterable[str]]) -> None:
        """Let `list_visitors` be asked, too."""
        self._sources.append(list_visitors)

    def list_visitors(self) -> set[str]:
        """Return the ids of all visitors with a page or a stream open."""
        return {visitor_id for source in self._sources for visitor_id in source()}
