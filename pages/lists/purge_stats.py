"""The purge statistics."""

from ..elements.list_sync import ClientState, SyncResult
from ..elements.live_list import LiveList
from ..feeds.topics import PURGE_STATS
from ..i18n.language import current_language
from ..rows import purge_stats_rows


class PurgeStatsList(LiveList):
    """The purge statistics, one row per line."""

    def __init__(self) -> None:
        _ = current_language()
        super().__init__(PURGE_STATS, tag="ul", label=_("The janitor"))

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return all lines, once there are any."""
        stats = self.context.chat.purge_stats.stats
        rows = purge_stats_rows(stats, language=self.language) if stats else []
        return SyncResult(rows, keep=[])
