"""The health of this process: its dependencies, and the metrics that are read from them."""

import asyncio

from ..bus import Bus
from ..bus.persistence import PersistenceMonitor
from ..limits.rate_limits import Limits
from ..runtime.files import require_writable
from ..runtime.metrics import Metrics
from ..security.keystore import KeyStore
from ..settings import Settings
from ..storage.database import Database


class Health:
    """Checks what this process depends on; registers metrics that are read at each scrape."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        keys: KeyStore,
        limits: Limits,
        metrics: Metrics,
        persistence: PersistenceMonitor | None,
    ) -> None:
        self.is_draining = False
        self._settings = settings
        self._database = database
        self._bus = bus
        self._persistence = persistence
        metrics.add_gauge("anonchat_keys", "Live keys.", lambda: len(keys.names()))
        metrics.add_gauge(
            "anonchat_draining", "Whether this node is draining.", lambda: self.is_draining
        )
        metrics.add_gauge("anonchat_bus_up", "Whether the bus is connected.", lambda: bus.is_up)
        metrics.add_counter(
            "anonchat_bus_gaps", "How often the bus lost events of other nodes.", lambda: bus.gaps
        )
        metrics.add_gauge(
            "anonchat_bus_persists",
            "Whether Valkey persists its data to disk.",
            lambda: self.is_bus_unsafe,
        )
        metrics.add_counter(
            "anonchat_bus_snapshots",
            "Snapshots that Valkey wrote to disk.",
            lambda: persistence.snapshots if persistence else 0,
        )
        metrics.add_labelled_counter(
            "anonchat_limits_hit",
            "How often each limit was exceeded.",
            "limit",
            limits.count_refused,
        )
        metrics.add_labelled_counter(
            "anonchat_database_errors",
            "Database errors, by the exception type of the driver.",
            "kind",
            lambda: database.errors,
        )

    @property
    def is_bus_unsafe(self) -> bool:
        """Whether Valkey persists its data to disk."""
        return self._persistence is not None and self._persistence.is_unsafe

    async def list_unavailable(self) -> list[str]:
        """Return the names of the unavailable dependencies: `database`, `bus`."""
        unavailable = [] if await self._database.is_available() else ["database"]
        return unavailable if self._bus.is_up else [*unavailable, "bus"]

    async def is_disk_writable(self) -> bool:
        """Return whether the folders of the keys and of a database file are writable."""
        file = self._settings.database_file
        folders = {self._settings.data_dir, *([file.parent] if file else [])}
        try:
            for folder in folders:
                await asyncio.to_thread(require_writable, folder)
        except OSError:
            return False
        return True
