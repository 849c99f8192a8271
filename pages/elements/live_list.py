"""A list whose rows are updated live."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import escape
from nicegui import json, ui
from nicegui.events import GenericEventArguments

from anonchat import Charge, Cost

from ..context import current_context, current_visitor_id
from ..feeds.subscriptions import Subscription
from ..feeds.topics import Topic
from ..i18n.language import current_language
from ..rows.row import PackedRow, Row
from .component import Component
from .handlers import Handle, LatestOnlyHandler, QueueHandler
from .list_sync import ClientState, Cursor, Page, SyncResult
from .retry import call_with_retry

_KEYS_MAX = 1_000
_QUEUE_MAX = 20

EventHandler = Callable[[dict[str, Any]], Awaitable[object] | object]


_SCRIPTS: list[str | Path] = [
    "live_list/*.js",
    "emoji/*.js",
    "compose.js",
    "member_names.js",
    "navigation.js",
    "notifications/*.js",
    "popup_menu.js",
    "preferences.js",
    "reason.js",
    "socket.js",
]


class LiveList(Component, ABC, component="live_list.js", dependencies=_SCRIPTS):
    """A list whose rows come from `FeedBroadcaster`; it synchronises after each (re)connection.

    A subclass reads the rows: `catch_up`, and `load_page` and `read_first` if its rows come in
    pages. `tag` is the HTML tag. With `row_channel`, the list also subscribes to the topic of each
    of its rows, named by the row's key. Other arguments are properties of live_list.js.

    The list subscribes to its topics when it is created. `load` reads the first rows, after that;
    `load_lists` does so for all lists of a page or sub page.

    Requests of one kind are answered one at a time, and only the newest of the queued ones: the
    page ignores responses to any other. All lists of a visitor are answered one after the other,
    and charged for the rows read and the characters sent.
    """

    def __init__(
        self,
        *topics: Topic,
        tag: str = "div",
        label: str = "",
        row_channel: str = "",
        **props: object,
    ) -> None:
        super().__init__()
        self.context = current_context()
        self.language = current_language()
        self.viewer = current_visitor_id()
        self._feeds = feeds = self.context.feeds
        self._base_topics = frozenset(topics)
        self.subscription = Subscription(
            feeds.subscriptions,
            page_id=self.client.id,
            language=self.language,
            viewer=self.viewer,
            row_channel=row_channel,
            request_sync=self.request_sync,
        )
        self._first_version: int | None = feeds.version
        self._first_rows: list[PackedRow] | None = None
        self._is_painted = not self.client._response_built  # else the rows are sent to the script
        self._cost_max = Cost.LIST_QUERY  # of the responses so far
        self._props.update(
            channel=topics[0].channel,
            tag=tag,
            label=label,
            language=self.language.code,
            now=feeds.now(),
            **props,
        )
        self.subscription.add(topics)
        self.on("sync", LatestOnlyHandler(self._on_sync))
        self.on("page", LatestOnlyHandler(self._on_page))

    @abstractmethod
    async def catch_up(self, shown: ClientState) -> SyncResult | None:
        """Return what a page in that state has missed, or `None` if it is led elsewhere."""

    async def load_page(self, _cursor: Cursor) -> Page:
        """Return another page of rows."""
        return Page([], more=False)

    async def read_first(self) -> SyncResult | None:
        """Return the rows that are shown first, or `None`."""
        return await self.catch_up(ClientState([]))

    async def load(self) -> None:
        """Read the first rows, unless that is done."""
        if self._first_rows is not None:
            return
        self._first_rows = []
        if (first := await self.read_first()) is None:
            return
        self._first_rows = [row.pack() for row in first.put]
        self._cost_max = _cost(first.put, sum(len(row.html) for row in first.put))
        if first.more or first.read:
            self._props.update(more=first.more, read=dict(first.read))
        if first.mentioned or first.next:
            self._props.update(mentioned=dict(first.mentioned), next=dict(first.next))
        self.subscription.add(self.subscription.row_topics(row.key for row in first.put))
        self.update()

    def tell_missed(self, text: str, until: int) -> None:
        """Show a text above the rows: those with an order up to `until` came and went unseen."""
        self._props.update(missed=text, gone=until)

    @property
    def has_first_rows(self) -> bool:
        """Whether rows are sent with the page."""
        return bool(self._first_rows)

    def paint(self) -> str:
        """Return the list with its first rows as HTML; live_list.js takes them over."""
        rows = self._first_rows or []
        keys = escape(json.dumps([row[:2] for row in rows]))
        tag, channel = self._props["tag"], self._props["channel"]
        drawn = "".join(str(row[2]) for row in rows)
        return (
            f'<{tag} id="{self.html_id}" class="feed feed-{channel}" data-rows="{keys}">'
            f"{drawn}</{tag}>"
        )

    def on_event(self, event: str, handler: EventHandler) -> None:
        """Call `handler` with the arguments of each `event` of the list, one at a time."""
        self.on(event, QueueHandler(_make_handler(handler), queue_max=_QUEUE_MAX))

    def on_latest_event(self, event: str, handler: EventHandler) -> None:
        """Do what `on_event` does, but skip events that a newer one supersedes."""
        self.on(event, LatestOnlyHandler(_make_handler(handler)))

    async def request_sync(self) -> None:
        """Make the page request a sync."""
        if not self.is_deleted:
            await self.call_script("sync")

    async def handle_connect(self) -> None:
        """Enter the socket rooms; make the page request a sync if it may have missed something."""
        await self.subscription.handle_connect()
        first_version, self._first_version = self._first_version, None
        self._first_rows = []  # already sent; here they would outlive their expiry
        topics = self.subscription.topics
        # A page that was stopped is led elsewhere by its sync.
        if (
            first_version is None
            or self.subscription.is_stopped
            or self._feeds.has_changed(topics, since=first_version)
        ):
            await self.request_sync()

    async def _on_sync(self, arguments: GenericEventArguments) -> None:
        request = arguments.args if isinstance(arguments.args, dict) else {}
        keys = request.get("keys")
        keys = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
        shown = ClientState(
            keys[:_KEYS_MAX],
            older=request.get("older") is True,
            newest_key=_text(request.get("beyond")),
        )
        question = _number(request.get("question"))
        await call_with_retry(lambda: self._answer_sync(shown, question))

    async def _answer_sync(self, shown: ClientState, question: int) -> None:
        async with self.work.run_exclusively(self._cost_max) as charge:
            charge.milliseconds = Cost.LIST_QUERY
            since, known = self._feeds.version, set(self.subscription.topics)
            if result := await self.catch_up(shown):
                await self._send_sync(result, question, known, since, charge)

    async def _send_sync(
        self, result: SyncResult, question: int, known: set[Topic], since: int, charge: Charge
    ) -> None:
        row_topics = self.subscription.row_topics(row.key for row in result.put)
        await self.subscription.remove(known - {*self._base_topics, *row_topics})
        added = await self.subscription.add_live(row_topics)
        length = await self.call_script(
            "catchUp",
            {
                "question": question,
                "put": [row.pack() for row in result.put],
                "keep": result.keep,
                "more": result.more,
                "read": dict(result.read),
                "mentioned": dict(result.mentioned),
                "next": dict(result.next),
                "now": self._feeds.now(),
            },
        )
        self._set_charge(charge, result.put, length)
        self._sync_if_changed(added, since)

    async def _on_page(self, arguments: GenericEventArguments) -> None:
        request = arguments.args if isinstance(arguments.args, dict) else {}
        cursor = Cursor(before=_text(request.get("before")), after=_text(request.get("after")))
        question = _number(request.get("question"))
        await call_with_retry(lambda: self._answer_page(cursor, question))

    async def _answer_page(self, cursor: Cursor, question: int) -> None:
        async with self.work.run_exclusively(self._cost_max) as charge:
            charge.milliseconds = Cost.LIST_QUERY
            since = self._feeds.version
            page = await self.load_page(cursor)
            row_topics = self.subscription.row_topics(row.key for row in page.rows)
            added = await self.subscription.add_live(row_topics)
            length = await self.call_script(
                "showPage",
                {
                    "question": question,
                    "rows": [row.pack() for row in page.rows],
                    "more": page.more,
                },
            )
            self._set_charge(charge, page.rows, length)
            self._sync_if_changed(added, since)

    def _set_charge(self, charge: Charge, rows: Sequence[Row], length: int) -> None:
        charge.milliseconds = _cost(rows, length)
        self._cost_max = max(self._cost_max, charge.milliseconds)

    def _sync_if_changed(self, topics: Iterable[Topic], since: int) -> None:
        """Make the page sync if rows changed between being read and being subscribed to."""
        if self._feeds.has_changed(topics, since=since):
            self.run_method("sync")

    def _to_dict(self) -> dict[str, Any]:
        element = super()._to_dict()
        if self._first_rows and not self._is_painted:
            element["props"] = {**self._props, "first_rows": self._first_rows}
        return element

    def _handle_delete(self) -> None:
        self.subscription.handle_delete()
        super()._handle_delete()


async def load_lists(root: ui.element) -> None:
    """Load the lists below an element."""
    for element in list(root.descendants()):
        if isinstance(element, LiveList):
            await element.load()


def _make_handler(handler: EventHandler) -> Handle:
    async def handle(arguments: GenericEventArguments) -> None:
        result = handler(arguments.args if isinstance(arguments.args, dict) else {})
        if inspect.isawaitable(result):
            await result

    return handle


def _cost(rows: Sequence[Row], length: int) -> float:
    """Return the cost, in milliseconds, of a response with these rows and this many characters."""
    return Cost.LIST_QUERY + Cost.ROW * len(rows) + Cost.SENT_KIB * length / 1024


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
