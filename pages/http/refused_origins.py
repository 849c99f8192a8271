"""Names of refused origins, for the log."""

import re

_MAX_NAMED = 5
_MAX_CHARACTERS = 100
_WITH_HOST_NAME = re.compile(r"https?://(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*(?::\d{1,5})?", re.ASCII)


class RefusedOrigins:
    """Describes refused origins without writing arbitrary client input to the log.

    Only the first five host names are given: a client can send any number of them, and each is a
    log line of its own. IP addresses are never given, because one may be the visitor's.
    """

    def __init__(self) -> None:
        self._named: set[str] = set()

    def describe(self, origin: str) -> str:
        """Return the origin, or a phrase for it if it must not be logged."""
        if len(origin) > _MAX_CHARACTERS or not _WITH_HOST_NAME.fullmatch(origin):
            return "an origin without a host name"
        if origin not in self._named and len(self._named) >= _MAX_NAMED:
            return "another origin"
        self._named.add(origin)
        return origin
