"""The search for messages of a room."""

from typing import Any

from nicegui.events import GenericEventArguments

from anonchat import (
    QUERY_CHARACTERS,
    SEARCHED_MAX,
    ChatError,
    Cost,
    FoundMessages,
    Message,
    Room,
    cost_of_search,
    iterate_cooperatively,
    make_excerpt,
    split_query,
)

from ..context import current_context, current_visitor_id
from ..i18n.language import current_language
from .component import Component
from .handlers import LatestOnlyHandler
from .live_list import LiveList

_RESULTS_MAX = 50
_SEQ_MAX = 2**53


class MessageSearch(
    Component,
    component="message_search.js",
    dependencies=[
        "live_list/list_window.js",
        "live_list/times.js",
        "reason.js",
        "socket.js",
    ],
):
    """A search box and its results, the newest first; a result leads to its message in `messages`.

    Results disappear when their messages expire or are deleted.
    """

    def __init__(self, room: Room, *, messages: LiveList) -> None:
        super().__init__()
        self._room = room
        self._context = current_context()
        self._viewer = current_visitor_id()
        self._language = _ = current_language()
        self._props.update(
            feed=messages.id,
            feed_channel=messages.props["channel"],
            language=_.code,
            now=self._context.feeds.now(),
            max_characters=QUERY_CHARACTERS,
            label=_("Search in this room"),
            texts={
                "hint": _("Everything that has not faded yet. Nothing is kept of a search."),
                "searching": _("Searching …"),
                "none": _("Nothing was found. It may have faded already."),
                "none_yet": _("Nothing was found among the newest messages."),
                "results": _("Results"),
                "older": _("Search older messages"),
            },
        )
        self.on("query", LatestOnlyHandler(self._on_query))

    async def _on_query(self, arguments: GenericEventArguments) -> None:
        request = arguments.args if isinstance(arguments.args, dict) else {}
        question, before = (
            _read_number(request.get("question")),
            _read_number(request.get("before")),
        )
        query = str(request.get("query"))[:QUERY_CHARACTERS]
        try:
            found, results = await self._search(query, before or None)
        except ChatError as error:
            self.run_method("fail", question, *self._language.reason(error))
        else:
            await self.call_script("show", question, results, found.before)

    async def _search(
        self, query: str, before: int | None
    ) -> tuple[FoundMessages, list[dict[str, object]]]:
        chat, words = self._context.chat, split_query(query)
        summary = chat.room_directory.summary(self._room.id)
        count = min(SEARCHED_MAX, summary.room.last_seq if summary else 0)
        cost = Cost.LIST_QUERY + Cost.MESSAGE_SEARCHED * count
        async with self.work.run_exclusively(cost) as charge:
            found = await chat.messages.search(
                self._room.id,
                visitor_id=self._viewer,
                query=query,
                before=before,
                limit=_RESULTS_MAX,
            )
            charge.milliseconds = cost_of_search(found) + Cost.ROW * len(found.messages)
            results = [
                _make_result(message, words)
                async for message in iterate_cooperatively(reversed(found.messages))
            ]
        return found, results


def _make_result(message: Message, words: tuple[str, ...]) -> dict[str, object]:
    return {
        "key": str(message.seq),
        "name": message.nickname,
        "badge": message.badge,
        "posted": message.posted_at.isoformat(),
        "until": message.expires_at.timestamp() * 1000,
        "pieces": make_excerpt(message.text, words),
    }


def _read_number(value: Any) -> int:
    return value if isinstance(value, int) and 0 < value < _SEQ_MAX else 0
