"""The messages of a room on the page of one member."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nicegui import ui

from anonchat import ChatError, Cost, Member, Message, NotAMember, NotFound, Room

from .context import PageContext
from .elements.live_list import ClientState, Cursor, LiveList, Page, SyncResult
from .elements.screen import Screen
from .feeds.broadcaster import draw_each
from .feeds.topics import messages_topic
from .i18n.language import Language
from .rows import EMOJI_ONLY, message_row, pending_message_html

_ROWS_ON_PAGE = 300
_LIVE_SEQS_MAX = 1_000  # `LiveList` accepts at most as many keys
_SEQ_MAX = 2**53  # JavaScript integers are exact below it; no room comes near


class MessageLog:
    """The messages of a room: pagination, catch-up after a reconnection, read mark, deletion."""

    def __init__(
        self, context: PageContext, language: Language, room: Room, member: Member, screen: Screen
    ) -> None:
        self._context = context
        self._language = language
        self._room = room
        self._member = member
        self._screen = screen
        self._page_size = context.chat.settings.page_size
        self._feed: LiveList | None = None

    async def draw(self) -> LiveList:
        """Draw the newest page; older ones are loaded by scrolling."""
        language = self._language
        self._feed = feed = LiveList(
            self._context.feeds,
            messages_topic(self._room.id),
            tag="div",
            label=language("Messages"),
            language=language,
            viewer=self._member.visitor_id,
            catch_up=self._catch_up,
            load_page=self._load_page,
            stick=True,
            days=True,
            cap=_ROWS_ON_PAGE,
            me=self._member.author,
            owns=self._member.author == self._room.owner,
            texts={
                "more": language("More"),
                "copy": language("Copy text"),
                "copied": language("Copied"),
                "delete": language("Delete"),
                "deleted": language("Message deleted"),
                "undo": language("Undo"),
                "pending": pending_message_html(self._member),
                "emoji": EMOJI_ONLY,
                "first": language("To the first unread"),
                "latest": language("To the latest"),
                "count": language("{n} new", n="{}"),
                "fresh": language("New"),
                "quiet": self._describe_empty_room(),
            },
        )
        feed.on_latest_event("read", self._mark_read)
        feed.on_event("act", self._act)
        try:
            newest = await self._newest()
            await self._add_missed(feed)
        except NotAMember:  # left on another page meanwhile: the catch-up redirects
            await feed.stop()
            newest = SyncResult([], keep=[])
        return feed.set_initial_rows(replace(newest, read={"": self._member.read_seq}))

    def _describe_empty_room(self) -> str:
        nothing = self._language("Nothing has been said yet, or it is gone already.")
        findable = (
            self._language("Everybody can find this room in the lobby.")
            if self._room.listed
            else self._language("Only those who have its link can find this room.")
        )
        return f"{nothing} {findable}"

    async def _add_missed(self, feed: LiveList) -> None:
        """Tell how many messages were posted and disappeared since the member has last read."""
        read_seq, last_seq = self._member.read_seq, self._room.last_seq
        live = await self._context.chat.messages.list_seqs(
            self._room.id,
            visitor_id=self._member.visitor_id,
            first=read_seq + 1,
            last=last_seq,
            limit=1,
        )
        gone_seq = live[0] - 1 if live else last_seq
        if gone_seq > read_seq:
            feed.tell_missed(
                self._language.count(
                    "{n} message came and went while you were away",
                    "{n} messages came and went while you were away",
                    gone_seq - read_seq,
                ),
                gone_seq,
            )

    async def _history(self, **cursor: int) -> list[Message]:
        return await self._context.chat.messages.history(
            self._room.id,
            visitor_id=self._member.visitor_id,
            limit=self._page_size,
            **cursor,
        )

    async def _load_page(self, cursor: Cursor) -> Page:
        seqs = {}
        if cursor.before:
            seqs["before"] = _read_seq(cursor.before)
        elif cursor.after:
            seqs["after"] = _read_seq(cursor.after)
        try:
            page = await self._history(**seqs)
        except NotAMember:  # the catch-up redirects
            page = []
        rows = await draw_each(page, message_row)
        return Page(rows, more=len(page) == self._page_size)

    async def _newest(self) -> SyncResult:
        newest = await self._history()
        rows = await draw_each(newest, message_row)
        return SyncResult(rows, keep=[], more=len(newest) == self._page_size)

    async def _catch_up(self, shown: ClientState) -> SyncResult | None:
        """Return what the page has missed, or the newest page if that is too much.

        The page may show the last message and still lack one before it. A page that is scrolled up
        does not show new messages, but it has to know that there are some.
        """
        seqs = {seq for key in shown.keys if (seq := _read_seq(key))}
        first = min(seqs, default=0) if shown.older else 0  # older ones are loaded by scrolling
        last = max(seqs, default=0)
        newest_seq = max(last, _read_seq(shown.newest_key))
        try:
            live = await self._context.chat.messages.list_seqs(
                self._room.id,
                visitor_id=self._member.visitor_id,
                first=first,
                last=last,
                limit=_LIVE_SEQS_MAX,
            )
            newer = await self._history(after=min({*live} - seqs, default=newest_seq + 1) - 1)
            if self._feed and self._feed.is_stopped:
                # The member left and joined again while the page was offline: its feed has stopped.
                ui.navigate.reload()
                return None
            is_far_behind = len(newer) == self._page_size and not shown.newest_key
            if is_far_behind or len(live) == _LIVE_SEQS_MAX:
                return await self._newest()
        except NotAMember:  # or the room has ended: then the reloaded page says so
            if self._context.chat.room_directory.summary(self._room.id):
                ui.navigate.to("/")
            else:
                ui.navigate.reload()
            return None
        return SyncResult(await draw_each(newer, message_row), keep=[*map(str, live)])

    async def _mark_read(self, arguments: dict[str, Any]) -> None:
        seq = _read_seq(arguments.get("seq"))
        if seq > self._member.read_seq:
            await self._screen.work.wait(Cost.READ_MARK)
            await self._context.chat.memberships.mark_read(
                self._room.id, visitor_id=self._member.visitor_id, seq=seq
            )

    async def _act(self, arguments: dict[str, Any]) -> None:
        if arguments.get("act") == "delete":
            await self._delete(_read_seq(arguments.get("key")))

    async def _delete(self, seq: int) -> None:
        messages, visitor_id = self._context.chat.messages, self._member.visitor_id
        try:
            await self._screen.work.spend(Cost.DELETE + self._context.broadcast_cost(self._room.id))
            with suppress(NotFound):  # it is deleted already
                await messages.delete_by_seq(self._room.id, visitor_id=visitor_id, seq=seq)
        except ChatError as error:
            if self._feed:
                self._feed.run_method("failDeletion", str(seq), self._language.explain(error))


def _read_seq(value: object) -> int:
    """Return the seq that a browser sent, or 0 if the value is not one."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    return value if isinstance(value, int) and 0 < value < _SEQ_MAX else 0
