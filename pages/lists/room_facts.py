"""The facts of a room: name, topic and lifetimes, and who can find it."""

from anonchat import Room

from ..elements.list_sync import ClientState, SyncResult
from ..elements.live_list import LiveList
from ..feeds.topics import facts_topic
from ..rows import facts_row, title_row


class RoomFacts(LiveList):
    """The facts of a room; emits `ended` when it ends."""

    def __init__(self, room: Room) -> None:
        super().__init__(facts_topic(room.id))
        self._room = room

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return both rows, unless the room has ended."""
        summary = self.context.chat.room_directory.summary(self._room.id)
        if summary is None:
            return SyncResult([], keep=[])
        rows = [title_row(summary.room), facts_row(summary, language=self.language)]
        return SyncResult(rows, keep=[])
