"""Whether Valkey writes what it holds to disk. It holds keys, so it must not."""

import logging
import time
from collections.abc import Callable

from .errors import StartError
from .valkey import Persistence, Valkey, ValkeyLost

_LOG_EVERY_SECONDS = 60.0
_OPAQUE = "its user may ask neither CONFIG GET nor INFO, so whether it writes to disk is unknown"
_log = logging.getLogger(__name__)


class PersistenceWatch:
    """Looks at the start and while running whether Valkey persists, and remembers the answer.

    While Valkey does not answer, the last answer counts.
    """

    def __init__(self, valkey: Valkey, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._valkey = valkey
        self._elapsed = elapsed
        self._logged_at: float | None = None
        self._last_snapshot: tuple[str, int] | None = None
        self.reasons: tuple[str, ...] = ()
        self.snapshots = 0

    @property
    def is_unsafe(self) -> bool:
        """Whether keys must not be stored in Valkey now."""
        return bool(self.reasons)

    async def require_none(self) -> None:
        """Raise `StartError` if Valkey persists, or does not answer whether it does."""
        try:
            found = await self._valkey.read_persistence()
        except ValkeyLost as error:
            reason = _OPAQUE if error.is_refusal else "nobody answers there"
            raise StartError(f"ANONCHAT_BUS_URL: {reason}") from error
        if found.reasons:
            raise StartError(f"ANONCHAT_BUS_URL: {found}")
        if not found.is_certain:
            _log.warning(
                "Valkey forbids CONFIG GET, so its option save cannot be read: make sure that it "
                'is ""; snapshots are noticed once they are written'
            )
        self._note_snapshot(found)

    async def look(self) -> None:
        """Look again; log what persists, at most once a minute."""
        try:
            found = await self._valkey.read_persistence()
        except ValkeyLost:
            return
        is_new_snapshot = self._note_snapshot(found)
        was_unsafe, self.reasons = self.is_unsafe, found.reasons
        if self.reasons:
            self._log_error("no key is stored in Valkey any more: %s", str(found))
        elif was_unsafe:
            _log.warning("Valkey does not write to disk any more: keys are stored in it again")
            self._logged_at = None
        if is_new_snapshot and not self.reasons:
            self._log_error("Valkey has written a snapshot of its memory to disk: remove the file")

    def _note_snapshot(self, found: Persistence) -> bool:
        """Tell whether a snapshot was written since the last look at the same server."""
        last, self._last_snapshot = self._last_snapshot, (found.server, found.saved_at)
        is_new = last is not None and last[0] == found.server and last[1] < found.saved_at
        self.snapshots += is_new
        return is_new

    def _log_error(self, text: str, *details: str) -> None:
        now = self._elapsed()
        if self._logged_at is None or now - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = now
            _log.error(text, *details)
