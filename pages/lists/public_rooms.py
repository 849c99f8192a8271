"""The public rooms."""

from collections.abc import Iterable

from ..elements.list_sync import ClientState, Cursor, Page, SyncResult
from ..elements.live_list import LiveList
from ..feeds.broadcaster import draw_each
from ..feeds.topics import LOBBY_COUNTS, NEW_ROOMS
from ..rows import Row, card_row, lobby_counts_row

_ROOMS_ON_PAGE = 1_000  # others are found by name


class PublicRoomList(LiveList):
    """The public rooms, paginated over one snapshot of their order."""

    def __init__(self) -> None:
        super().__init__(NEW_ROOMS, tag="ul", row_channel="card", cap=_ROOMS_ON_PAGE, arrows=True)
        self._order = self.context.chat.room_directory.list_ids()
        self._positions: dict[str, int] = {}

    async def read_first(self) -> SyncResult:
        """Return the first page."""
        page = await self.load_page(Cursor())
        return SyncResult(page.rows, keep=[], more=page.more)

    async def load_page(self, cursor: Cursor) -> Page:
        """Return the page after a room."""
        start = self._positions.get(cursor.after, -1) + 1
        rows: list[Row] = []
        while not rows and start < len(self._order):  # all rooms of a page may have ended
            page = self._order[start:][: self.context.chat.settings.page_size]
            self._positions.update((room_id, start + index) for index, room_id in enumerate(page))
            rows = await self._draw(page)
            start += len(page)
        return Page(rows, more=start < len(self._order))

    async def catch_up(self, shown: ClientState) -> SyncResult:
        """Return the shown rooms that still exist, and newer ones."""
        public = self.context.chat.room_directory.list_ids()
        known = set(public) & set(shown.keys)
        snapshot = {*self._order}  # the reader loads these by scrolling
        newer = [id for id in public if id not in snapshot and id not in known]
        page_size = self.context.chat.settings.page_size
        return SyncResult(await self._draw([*known, *newer[:page_size]]), keep=[])

    async def _draw(self, room_ids: Iterable[str]) -> list[Row]:
        found = await self.context.chat.room_directory.summaries([*room_ids])
        return await draw_each(
            [summary for summary in found if summary.room.listed],  # it may have changed meanwhile
            lambda summary: card_row(
                summary,
                order=self._positions.get(summary.room.id, -summary.room.created_at.timestamp()),
                language=self.language,
            ),
        )


class LobbyCounts(LiveList):
    """How many people are in public rooms, and how many public rooms there are."""

    def __init__(self) -> None:
        super().__init__(LOBBY_COUNTS, tag="small")

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return the only row."""
        here, rooms = self.context.chat.room_directory.count()
        return SyncResult([lobby_counts_row(here, rooms, language=self.language)], keep=[])
