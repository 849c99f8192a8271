"""The topics that a list is subscribed to."""

from collections.abc import Iterable

from nicegui import core

from ..feeds.broadcaster import FeedBroadcaster, Subscriber, socket_room
from ..feeds.topics import Topic


class TopicSubscriptions:
    """Keeps a list subscribed to topics, and the sockets of its page in their rooms."""

    def __init__(self, feed: Subscriber, page_id: str, feeds: FeedBroadcaster) -> None:
        self.topics: set[Topic] = set()
        self._feed = feed
        self._page_id = page_id
        self._feeds = feeds

    def add(self, topic: Topic) -> None:
        """Subscribe to a topic, before the page has connected."""
        self.topics.add(topic)
        self._feeds.subscribe(self._feed, topic)

    async def add_live(self, topics: Iterable[Topic]) -> list[Topic]:
        """Subscribe to these topics, also if the page has connected; return the new ones."""
        added = [topic for topic in topics if topic not in self.topics]
        for topic in added:
            self.add(topic)
            await self._enter_room(topic)
        return added

    async def remove(self, topic: Topic) -> None:
        """Unsubscribe from a topic."""
        self.topics.discard(topic)
        self._feeds.unsubscribe(self._feed, topic)
        for sid in self._sids():
            await core.sio.leave_room(sid, self._room(topic))

    async def enter_rooms(self) -> None:
        """Enter the rooms of all topics; called when the page has connected."""
        for topic in list(self.topics):
            await self._enter_room(topic)

    def release(self) -> None:
        """Unsubscribe from all topics when the list is deleted."""
        for topic in self.topics:
            self._feeds.unsubscribe(self._feed, topic)
            for sid in self._sids():
                core.sio.manager.basic_leave_room(sid, "/", self._room(topic))

    async def _enter_room(self, topic: Topic) -> None:
        for sid in self._sids():
            await core.sio.enter_room(sid, self._room(topic))

    def _room(self, topic: Topic) -> str:
        return socket_room(topic, self._feed.language.code)

    def _sids(self) -> list[str]:
        return [sid for sid, _ in core.sio.manager.get_participants("/", self._page_id)]
