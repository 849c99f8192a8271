"""A live list on one screen."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from nicegui import core
from nicegui.events import GenericEventArguments

from anonchat import Charge, Cost

from ..language import Language
from ..rows.row import Row
from .feeds import Feeds, Topic, socket_room
from .handlers import Handle, InOrder, NewestOnly
from .part import Part
from .patience import ask_patiently

_KEYS_MOST = 1_000
_WAITING_MOST = 20

Answer = Callable[[dict[str, Any]], Awaitable[object] | object]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a screen shows: the keys of its rows, and whether there are older ones.

    `beyond` is the last key that it has heard of, if its rows do not reach as far as that.
    """

    keys: list[str]
    older: bool = False
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What a screen has missed: rows to put, and which of those it has shown are still there."""

    put: list[Row]
    keep: list[str]
    more: bool | None = None
    read: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beside:
    """Which page a screen asks for: the one before or after a row, else the one at the end."""

    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that a screen asked for, and whether there are others beyond them."""

    rows: list[Row]
    more: bool


class Feed(Part, component="feed.js", dependencies=["feed/*.js"]):
    """A list whose rows come from `Feeds`; on a (re)connection it asks for what it missed.

    It listens from the moment it is made; what was read after that is handed to `begin`.
    `catch_up` is told what the screen shows, `turn_page` what it wants to see beside it; `None`
    from `catch_up` is that the screen is being led elsewhere. With
    `follow`, the feed also listens to the topic of each of its rows, named by its key. `viewer` is
    the id of the visitor who looks on.

    Of each kind of question one is answered at a time, and of those that wait only the newest: an
    answer to any other is refused by the screen. All lists of a visitor are answered one after the
    other, and charged for what was read and sent.
    """

    def __init__(
        self,
        feeds: Feeds,
        *topics: Topic,
        tag: str,
        label: str,
        language: Language,
        viewer: str,
        catch_up: Callable[[Shown], Awaitable[CatchUp | None]],
        turn_page: Callable[[Beside], Awaitable[Page]] | None = None,
        follow: str = "",
        **props: object,
    ) -> None:
        super().__init__(feeds.budget)
        self.language = language
        self.viewer = viewer
        self._feeds = feeds
        self._catch_up = catch_up
        self._turn_page = turn_page
        self._follow = follow
        self._own = frozenset(topics)
        self._topics: set[Topic] = set()
        self._drawn_at: int | None = feeds.news_number
        self.is_stopped = False
        self._costs_most = Cost.QUESTION  # of the answers until now
        self._props.update(
            channel=topics[0].channel,
            tag=tag,
            label=label,
            language=language.code,
            now=feeds.now(),
            **props,
        )
        for topic in topics:
            self._listen(topic)
        self.client.on_connect(self._join)
        self.on("sync", NewestOnly(self._on_sync))
        self.on("page", NewestOnly(self._on_page))

    def begin(self, first: CatchUp) -> Self:
        """Show what was read since the feed is listening."""
        self.drawn = [row.pack() for row in first.put]
        self._costs_most = _cost(first.put, sum(len(row.html) for row in first.put))
        if first.more or first.read:
            self._props.update(more=first.more, read=dict(first.read))
        for topic in self._followed(row.key for row in first.put):
            self._listen(topic)
        return self

    def answer(self, event: str, handler: Answer) -> None:
        """Call `handler` with what the list has to say of `event`, one after the other."""
        self.on(event, InOrder(_handle(handler), waiting_most=_WAITING_MOST))

    def answer_newest(self, event: str, handler: Answer) -> None:
        """Do what `answer` does, but pass over what something newer has followed meanwhile."""
        self.on(event, NewestOnly(_handle(handler)))

    async def follow(self, key: str) -> None:
        """Listen to the topic of a row that came in from elsewhere."""
        await self._follow_all(self._followed([key]))

    async def unfollow(self, key: str) -> None:
        """Hear no more of a row that went."""
        for topic in self._followed([key]):
            await self._leave(topic)

    async def stop(self) -> None:
        """Hear of nothing any more; what is shown stays until the screen goes elsewhere."""
        self.is_stopped = True
        self._drawn_at = None  # a screen that was not connected yet has to ask where to go
        for topic in list(self._topics):
            await self._leave(topic)

    async def look_again(self) -> None:
        """Let the screen ask for what it may have missed."""
        if not self.is_deleted:
            await self.tell("sync")

    async def _join(self) -> None:
        if self.is_deleted:  # the handler outlives the element inside one client
            return
        for topic in list(self._topics):
            await self._enter(topic)
        drawn_at, self._drawn_at = self._drawn_at, None
        self.drawn = None  # the screen has it; here it would outlive its end
        if drawn_at is None or self._feeds.has_news(self._topics, since=drawn_at):
            await self.tell("sync")

    async def _on_sync(self, arguments: GenericEventArguments) -> None:
        asked = arguments.args if isinstance(arguments.args, dict) else {}
        keys = asked.get("keys")
        keys = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
        shown = Shown(
            keys[:_KEYS_MOST],
            older=asked.get("older") is True,
            beyond=_text(asked.get("beyond")),
        )
        question = _number(asked.get("question"))
        await ask_patiently(lambda: self._answer_sync(shown, question))

    async def _answer_sync(self, shown: Shown, question: int) -> None:
        async with self.work.exclusive(self._costs_most) as charge:
            charge.milliseconds = Cost.QUESTION
            since, known = self._feeds.news_number, set(self._topics)
            if news := await self._catch_up(shown):
                await self._tell_news(news, question, known, since, charge)

    async def _tell_news(
        self, news: CatchUp, question: int, known: set[Topic], since: int, charge: Charge
    ) -> None:
        followed = self._followed(row.key for row in news.put)
        for topic in known - {*self._own, *followed}:
            await self._leave(topic)
        fresh = await self._follow_all(followed)
        length = await self.tell(
            "catchUp",
            {
                "question": question,
                "put": [row.pack() for row in news.put],
                "keep": news.keep,
                "more": news.more,
                "read": dict(news.read),
                "now": self._feeds.now(),
            },
        )
        self._settle(charge, news.put, length)
        self._ask_again(fresh, since)

    async def _on_page(self, arguments: GenericEventArguments) -> None:
        asked = arguments.args if isinstance(arguments.args, dict) else {}
        if (turn_page := self._turn_page) is None:
            return
        beside = Beside(before=_text(asked.get("before")), after=_text(asked.get("after")))
        question = _number(asked.get("question"))
        await ask_patiently(lambda: self._answer_page(lambda: turn_page(beside), question))

    async def _answer_page(self, turn_page: Callable[[], Awaitable[Page]], question: int) -> None:
        async with self.work.exclusive(self._costs_most) as charge:
            charge.milliseconds = Cost.QUESTION
            since = self._feeds.news_number
            page = await turn_page()
            fresh = await self._follow_all(self._followed(row.key for row in page.rows))
            length = await self.tell(
                "showPage",
                {
                    "question": question,
                    "rows": [row.pack() for row in page.rows],
                    "more": page.more,
                },
            )
            self._settle(charge, page.rows, length)
            self._ask_again(fresh, since)

    def _settle(self, charge: Charge, rows: Sequence[Row], length: int) -> None:
        charge.milliseconds = _cost(rows, length)
        self._costs_most = max(self._costs_most, charge.milliseconds)

    async def _follow_all(self, topics: Iterable[Topic]) -> list[Topic]:
        """Listen to these topics, and return those that were not listened to before."""
        fresh = [topic for topic in topics if topic not in self._topics]
        for topic in fresh:
            self._listen(topic)
            await self._enter(topic)
        return fresh

    def _ask_again(self, topics: Iterable[Topic], since: int) -> None:
        """Let the screen ask for what happened to rows between being read and being listened to."""
        if self._feeds.has_news(topics, since=since):
            self.run_method("sync")

    def _followed(self, keys: Iterable[str]) -> list[Topic]:
        return [Topic(self._follow, key) for key in keys] if self._follow else []

    def _listen(self, topic: Topic) -> None:
        self._topics.add(topic)
        self._feeds.listen(self, topic)

    async def _enter(self, topic: Topic) -> None:
        room = socket_room(topic, self.language.code)
        for sid in self._sids():
            await core.sio.enter_room(sid, room)

    async def _leave(self, topic: Topic) -> None:
        self._topics.discard(topic)
        self._feeds.unlisten(self, topic)
        for sid in self._sids():
            await core.sio.leave_room(sid, socket_room(topic, self.language.code))

    def _sids(self) -> list[str]:
        return [sid for sid, _ in core.sio.manager.get_participants("/", self.client.id)]

    def _handle_delete(self) -> None:
        for topic in self._topics:
            self._feeds.unlisten(self, topic)
        super()._handle_delete()


def _handle(handler: Answer) -> Handle:
    async def handle(arguments: GenericEventArguments) -> None:
        result = handler(arguments.args if isinstance(arguments.args, dict) else {})
        if inspect.isawaitable(result):
            await result

    return handle


def _cost(rows: Sequence[Row], length: int) -> float:
    """Return what it costs to answer with these rows, so many characters long."""
    return Cost.QUESTION + Cost.ROW * len(rows) + Cost.SENT_KIB * length / 1024


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def whole_feed(
    feeds: Feeds,
    topic: Topic,
    draw: Callable[[], list[Row]],
    *,
    tag: str,
    language: Language,
    viewer: str,
    label: str = "",
) -> Feed:
    """Return a feed of a few rows that are drawn anew, all of them, whenever it catches up."""

    async def catch_up(_shown: Shown) -> CatchUp:
        return CatchUp(draw(), keep=[])

    feed = Feed(
        feeds,
        topic,
        tag=tag,
        label=label,
        language=language,
        viewer=viewer,
        catch_up=catch_up,
    )
    return feed.begin(CatchUp(draw(), keep=[]))
