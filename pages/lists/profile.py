"""The nickname of the visitor of a page."""

from anonchat import Visitor, visitor_lifetime

from ..elements.list_sync import ClientState, SyncResult
from ..elements.live_list import LiveList
from ..feeds.topics import profile_topic
from ..rows import profile_row


class Profile(LiveList):
    """The visitor's own nickname, with the badge or how long they are known."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(profile_topic(visitor.id))
        self._visitor = visitor

    async def read_first(self) -> SyncResult:
        """Return the row of the visitor for whom the page was built."""
        return self._draw(self._visitor)

    async def catch_up(self, _shown: ClientState) -> SyncResult:
        """Return the only row."""
        return self._draw(await self.context.chat.identity.get(self.viewer))

    def _draw(self, visitor: Visitor) -> SyncResult:
        settings = self.context.chat.settings
        lifetime = visitor_lifetime(settings, has_posted=visitor.has_posted)
        return SyncResult([profile_row(visitor, lifetime, language=self.language)], keep=[])
