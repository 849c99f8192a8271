"""Log lines about outages of the database."""

import logging
import time
from collections import Counter

_RECOVERY_SECONDS = 5
_log = logging.getLogger(__name__)


class OutageLog:
    """Logs each reason of an outage once, and its end."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()  # of the current outage, by reason
        self._last_failure_at = 0.0

    def log_failure(self, reason: str) -> None:
        """Log each reason once per outage, because every request may fail for it."""
        if reason not in self._failures:
            _log.error("database unavailable: %s", reason)
        self._failures[reason] += 1
        self._last_failure_at = time.monotonic()

    def log_recovery(self) -> None:
        """Log the end of an outage at the first commit over 5 s after the last failure."""
        if self._failures and time.monotonic() - self._last_failure_at > _RECOVERY_SECONDS:
            _log.warning("database available again after %d failures", self._failures.total())
            self._failures.clear()
