"""Which lists on this node are subscribed to which topics."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from nicegui import core

from anonchat import Language

from .topics import Topic


class Subscriptions:
    """The subscriptions of all lists on this node, by topic and language."""

    def __init__(self) -> None:
        self._topics: dict[Topic, dict[str, set[Subscription]]] = {}

    def add(self, subscription: "Subscription", topic: Topic) -> None:
        """Add a topic to a subscription."""
        by_language = self._topics.setdefault(topic, {})
        by_language.setdefault(subscription.language.code, set()).add(subscription)

    def remove(self, subscription: "Subscription", topic: Topic) -> None:
        """Remove a topic from a subscription."""
        by_language = self._topics.get(topic, {})
        subscribed = by_language.get(subscription.language.code, set())
        subscribed.discard(subscription)
        if not subscribed:
            by_language.pop(subscription.language.code, None)
        if not by_language:
            self._topics.pop(topic, None)

    def by_language(self, topic: Topic) -> Mapping[str, set["Subscription"]]:
        """Return the subscriptions to a topic, by language."""
        return self._topics.get(topic, {})

    def find(self, topic: Topic) -> list["Subscription"]:
        """Return the subscriptions to a topic."""
        return [each for subscribed in self.by_language(topic).values() for each in subscribed]

    def count(self, topic: Topic) -> int:
        """Return how many subscriptions there are to a topic."""
        return sum(map(len, self.by_language(topic).values()))

    def all(self) -> set["Subscription"]:
        """Return all subscriptions."""
        return {each for topic in self._topics for each in self.find(topic)}


class Subscription:
    """The topics of one list; the sockets of its page are in the socket room of each.

    With `row_channel`, it includes the topic of each row, named by the row's key. `request_sync`
    makes the page of the list request a sync.
    """

    def __init__(
        self,
        subscriptions: Subscriptions,
        *,
        page_id: str,
        language: Language,
        viewer: str,
        row_channel: str,
        request_sync: Callable[[], Awaitable[None]],
    ) -> None:
        self.language = language
        self.viewer = viewer
        self.request_sync = request_sync
        self.topics: set[Topic] = set()
        self.is_stopped = False
        self._subscriptions = subscriptions
        self._page_id = page_id
        self._row_channel = row_channel

    def row_topics(self, keys: Iterable[str]) -> list[Topic]:
        """Return the topics of these rows."""
        return [Topic(self._row_channel, key) for key in keys] if self._row_channel else []

    def add(self, topics: Iterable[Topic]) -> None:
        """Subscribe to topics before the page has connected."""
        for topic in topics:
            self.topics.add(topic)
            self._subscriptions.add(self, topic)

    async def add_live(self, topics: Iterable[Topic]) -> list[Topic]:
        """Subscribe to topics, whether or not the page has connected; return the new ones."""
        added = [topic for topic in topics if topic not in self.topics]
        self.add(added)
        await self._enter_rooms(added)
        return added

    async def remove(self, topics: Iterable[Topic]) -> None:
        """Unsubscribe from topics."""
        for topic in topics:
            self.topics.discard(topic)
            self._subscriptions.remove(self, topic)
            for sid in self._sids():
                await core.sio.leave_room(sid, socket_room(topic, self.language.code))

    async def stop(self) -> None:
        """Unsubscribe from all topics; the rows stay until the page is led elsewhere."""
        self.is_stopped = True
        await self.remove(list(self.topics))

    async def handle_connect(self) -> None:
        """Let the sockets of the page, which has connected, enter all rooms."""
        await self._enter_rooms(list(self.topics))

    def handle_delete(self) -> None:
        """Unsubscribe from all topics, because the list is deleted."""
        for topic in self.topics:
            self._subscriptions.remove(self, topic)
            for sid in self._sids():
                room = socket_room(topic, self.language.code)
                core.sio.manager.basic_leave_room(sid, "/", room)

    async def _enter_rooms(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            for sid in self._sids():
                await core.sio.enter_room(sid, socket_room(topic, self.language.code))

    def _sids(self) -> list[str]:
        return [sid for sid, _ in core.sio.manager.get_participants("/", self._page_id)]


def socket_room(topic: Topic, code: str) -> str:
    """Return the socket.io room of all pages that show the topic in this language."""
    return f"{topic.channel}:{topic.name}|{code}"
