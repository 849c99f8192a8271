"""What is said in a room, on the screen of one member."""

import re
from dataclasses import replace
from typing import Any

from nicegui import ui

from anonchat import ChatError, Cost, Member, Message, NotAMember, Room

from .language import Language
from .live.feed import Beside, CatchUp, Feed, Page, Shown
from .live.feeds import draw_each
from .live.screen import Screen
from .news import messages_of
from .rows import message_row, pending_row
from .site import Site

_ROWS_ON_PAGE = 300
_LIVING_MOST = 1_000  # no page asks for more
_SEQ_MOST = 2**53  # what a browser counts exactly; no room comes near


class Conversation:
    """The messages of a room: page by page, caught up after every absence, and taken back."""

    def __init__(
        self, site: Site, language: Language, room: Room, member: Member, screen: Screen
    ) -> None:
        self._site = site
        self._language = language
        self._room = room
        self._member = member
        self._screen = screen
        self._page_size = site.chat.settings.page_size
        self._feed: Feed | None = None

    async def draw(self) -> Feed:
        """Draw the newest page; older ones come by scrolling."""
        language = self._language
        self._feed = feed = Feed(
            self._site.feeds,
            messages_of(self._room.id),
            tag="div",
            label=language("Messages"),
            language=language,
            viewer=self._member.visitor_id,
            catch_up=self._catch_up,
            turn_page=self._turn_page,
            stick=True,
            days=True,
            cap=_ROWS_ON_PAGE,
            me=self._member.author,
            owns=self._member.author == self._room.owner,
            texts={
                "takeBack": language("Delete"),
                "sure": language("Delete for everybody?"),
                "pending": pending_row(self._member),
                "pill": language("New messages"),
                "latest": language("To the latest"),
                "fresh": language("New"),
                "quiet": language("Nothing has been said yet, or it is gone already."),
            },
        )
        feed.answer_newest("read", self._mark_read)
        feed.answer("act", self._act)
        try:
            newest = await self._newest()
        except NotAMember:  # left a moment ago, on another screen: the catch-up shows the way out
            await feed.stop()
            newest = CatchUp([], keep=[])
        return feed.begin(replace(newest, read={"": self._member.read_seq}))

    async def _history(self, **where: int) -> list[Message]:
        return await self._site.chat.messages.history(
            self._room.id,
            visitor_id=self._member.visitor_id,
            limit=self._page_size,
            **where,
        )

    async def _turn_page(self, beside: Beside) -> Page:
        where = {}
        if beside.before:
            where["before"] = _read_seq(beside.before)
        elif beside.after:
            where["after"] = _read_seq(beside.after)
        try:
            page = await self._history(**where)
        except NotAMember:  # the catch-up shows the way out
            page = []
        rows = await draw_each(page, message_row)
        return Page(rows, more=len(page) == self._page_size)

    async def _newest(self) -> CatchUp:
        newest = await self._history()
        rows = await draw_each(newest, message_row)
        return CatchUp(rows, keep=[], more=len(newest) == self._page_size)

    async def _catch_up(self, shown: Shown) -> CatchUp | None:
        """Return what the screen has missed; after a long absence, the newest page.

        What was posted last may be on the screen already, and what came before it not yet. A screen
        that is further up shows nothing of what is new, but it has to know that there is something.
        """
        seqs = {seq for key in shown.keys if (seq := _read_seq(key))}
        first = min(seqs, default=0) if shown.older else 0  # older ones come by scrolling
        last = max(seqs, default=0)
        heard = max(last, _read_seq(shown.beyond))
        try:
            living = await self._site.chat.messages.living_seqs(
                self._room.id,
                visitor_id=self._member.visitor_id,
                first=first,
                last=last,
                limit=_LIVING_MOST,
            )
            newer = await self._history(after=min({*living} - seqs, default=heard + 1) - 1)
            if self._feed and self._feed.is_stopped:
                # They left and came in again, and heard of neither: this page hears nothing more.
                ui.navigate.reload()
                return None
            is_far_behind = len(newer) == self._page_size and not shown.beyond
            if is_far_behind or len(living) == _LIVING_MOST:
                return await self._newest()
        except NotAMember:  # or there is no room: then the page itself says so
            if self._site.chat.lobby.glance(self._room.id):
                ui.navigate.to("/")
            else:
                ui.navigate.reload()
            return None
        return CatchUp(await draw_each(newer, message_row), keep=[*map(str, living)])

    async def _mark_read(self, mark: dict[str, Any]) -> None:
        seq = _read_seq(mark.get("seq"))
        if seq > self._member.read_seq:
            await self._screen.work.wait(Cost.READ_MARK)
            await self._site.chat.memberships.mark_read(
                self._room.id, visitor_id=self._member.visitor_id, seq=seq
            )

    async def _act(self, wish: dict[str, Any]) -> None:
        if wish.get("act") == "delete":
            await self._delete(_read_seq(wish.get("key")))

    async def _delete(self, seq: int) -> None:
        messages, visitor_id = self._site.chat.messages, self._member.visitor_id
        try:
            await self._screen.work.spend(Cost.DELETE + self._site.cost_of_telling(self._room.id))
            found = await messages.history(
                self._room.id, visitor_id=visitor_id, after=seq - 1, limit=1
            )
            for message in found:
                if message.seq == seq:  # else it is gone already
                    await messages.delete(
                        self._room.id, visitor_id=visitor_id, message_id=message.id
                    )
        except ChatError as error:
            self._screen.say("delete", self._language.explain(error))
        else:
            self._screen.say("delete", "")


def _read_seq(value: object) -> int:
    """Return the seq that a browser named, or 0 for anything that is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    return value if isinstance(value, int) and 0 < value < _SEQ_MOST else 0
