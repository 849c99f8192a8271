"""Runs of jobs: each on one node, and once."""

from datetime import datetime

from models import JobRunRow

from ..storage.conflicts import retry_on_conflict
from ..storage.database import Database


class JobRuns:
    """Decides which node runs a job."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    @retry_on_conflict
    async def claim(self, name: str, slot: datetime) -> bool:
        """Return whether this node has to run the job of this name for the time `slot`.

        That is `True` at most once for each slot, on all nodes together and across restarts, and
        `False` for slots before one that was claimed. Raises `Unavailable`.
        """
        with self._database.priority():
            async with self._database.transaction() as session:
                row = await session.get(JobRunRow, name, with_for_update=True)
                if row and row.ran_at >= slot:
                    return False
                row = row or JobRunRow(name=name, ran_at=slot)
                row.ran_at = slot
                session.add(row)
        return True
