"""The rooms that a visitor is a member of."""

from anonchat import Cost

from ..context import current_visitor_id
from ..elements.list_sync import ClientState, SyncResult
from ..elements.live_list import LiveList
from ..feeds.broadcaster import draw_each
from ..feeds.topics import sidebar_topic
from ..i18n.language import current_language
from ..rows import sidebar_row


class OwnRoomList(LiveList):
    """The rooms of the visitor of the page, with their unread counts and a button that leaves."""

    def __init__(self) -> None:
        _ = current_language()
        super().__init__(
            sidebar_topic(current_visitor_id()),
            tag="ul",
            row_channel="sidebar",
            tracks_path=True,
            arrows=True,
            texts={"new_message": _("New message")},
        )
        self.on_event("act", self._act)

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return all rooms and their read marks."""
        chat = self.context.chat
        unread = await chat.memberships.list_unread(self.viewer)
        summaries = await chat.room_directory.summaries(unread)
        rows = await draw_each(
            summaries, lambda summary: sidebar_row(summary, language=self.language)
        )
        return SyncResult(
            rows,
            keep=[],
            read={room_id: each.mark for room_id, each in unread.items()},
            mentioned={room_id: each.mention for room_id, each in unread.items() if each.mention},
            next={
                room_id: int(each.next_expiry.timestamp() * 1000)
                for room_id, each in unread.items()
                if each.next_expiry
            },
        )

    async def _act(self, arguments: dict[str, str]) -> None:
        if arguments.get("act") == "leave":
            room_id = str(arguments.get("key"))
            await self.work.wait(Cost.JOIN + self.context.broadcast_cost(room_id))
            await self.context.chat.memberships.leave(room_id, visitor_id=self.viewer)
