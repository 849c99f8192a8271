"""Checks that Valkey does not persist its data to disk, because the data includes keys."""

import logging
import time
from collections.abc import Callable

from ..errors import StartupError
from .client import NO_EVICTION, Persistence, Valkey, ValkeyUnavailable

_LOG_EVERY_SECONDS = 60.0
_UNKNOWN_PERSISTENCE = "Valkey forbids CONFIG GET and INFO, so whether it writes to disk is unknown"
_log = logging.getLogger(__name__)


class PersistenceMonitor:
    """Checks at startup and while running whether Valkey persists its data.

    While Valkey is unavailable, the last result stays valid.
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
        """Whether Valkey persists its data, so that no keys must be stored in it."""
        return bool(self.reasons)

    async def require_disabled(self) -> None:
        """Raise `StartupError` if Valkey persists its data, or that cannot be found out.

        Log a warning if it may evict data.
        """
        try:
            found = await self._valkey.read_persistence()
            policy = await self._valkey.read_policy()
        except ValkeyUnavailable as error:
            reason = _UNKNOWN_PERSISTENCE if error.is_command_rejected else "no answer from Valkey"
            raise StartupError(f"ANONCHAT_BUS_URL: {reason}") from error
        if found.reasons:
            raise StartupError(f"ANONCHAT_BUS_URL: {found}")
        if not found.is_certain:
            _log.warning(
                "Valkey forbids CONFIG GET, so its option save is unknown: make sure that it "
                'is ""; snapshots are only detected after they are written'
            )
        if policy != NO_EVICTION:  # only a warning, because each node has its keys on disk
            _log.warning(
                "Valkey evicts keys when its memory is full: its maxmemory-policy is %s and has to "
                "be %s",
                policy,
                NO_EVICTION,
            )
        self._record_snapshot(found)

    async def check(self) -> None:
        """Check again; log persistence at most once a minute."""
        try:
            found = await self._valkey.read_persistence()
        except ValkeyUnavailable:
            return
        is_new_snapshot = self._record_snapshot(found)
        was_unsafe, self.reasons = self.is_unsafe, found.reasons
        if self.reasons:
            self._log_error("keys withheld from Valkey: %s", str(found))
        elif was_unsafe:
            _log.warning("Valkey no longer persists its data: keys are stored in it again")
            self._logged_at = None
        if is_new_snapshot and not self.reasons:
            self._log_error("Valkey has written a snapshot of its memory to disk: remove the file")

    def _record_snapshot(self, found: Persistence) -> bool:
        """Return whether the server wrote a snapshot since the last check and was not restarted."""
        last, self._last_snapshot = self._last_snapshot, (found.server, found.saved_at)
        is_new = last is not None and last[0] == found.server and last[1] < found.saved_at
        self.snapshots += is_new
        return is_new

    def _log_error(self, text: str, *details: str) -> None:
        now = self._elapsed()
        if self._logged_at is None or now - self._logged_at >= _LOG_EVERY_SECONDS:
            self._logged_at = now
            _log.error(text, *details)
