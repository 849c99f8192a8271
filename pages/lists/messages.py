"""The messages of a room."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nicegui import ui

from anonchat import ChatError, Cost, Member, Message, NotAMember, NotFound, Room

from ..elements.emoji import emoji_properties
from ..elements.list_sync import ClientState, Cursor, Page, SyncResult
from ..elements.live_list import LiveList
from ..elements.message_seq import read_seq
from ..feeds.broadcaster import draw_each
from ..feeds.topics import messages_topic
from ..i18n.language import current_language
from ..rows import EMOJI_ONLY, Row, message_row, opened_html, pending_message_html
from .orders import ActOnMember, Orders

_ROWS_ON_PAGE = 300
_LIVE_SEQS_MAX = 1_000  # `LiveList` accepts at most as many keys
_FOUND_MAX = 20  # at once
_QUOTE_CHARACTERS = 120
_HIDDEN_MAX = 100  # further ones are deleted by the page alone

Act = Callable[[str, int], Awaitable[object]]


class MessageList(LiveList):
    """The messages of a room for one member; older ones are loaded by scrolling.

    It stores how far the member has read, deletes messages, reacts to them, opens those that can be
    opened once, and finds those that others answer. It emits `ended` when the room ends.
    """

    def __init__(self, room: Room, member: Member) -> None:
        _ = current_language()
        super().__init__(
            messages_topic(room.id),
            label=_("Messages"),
            stick=True,
            days=True,
            cap=_ROWS_ON_PAGE,
            me=member.author,
            room=room.id,
            emoji=emoji_properties(_),
            texts={
                "actions": _("Message actions"),
                "more": _("More"),
                "react": _("React"),
                "more_emoji": _("More emoji"),
                "reply": _("Reply"),
                "edit": _("Edit"),
                "edited": _("edited"),
                "in_reply": _("In reply to {name}", name="{}"),
                "reply_gone": _("In reply to a message that is gone"),
                "gone": _("This message is gone."),
                "you": _("you"),
                "others": _("others"),
                "copy": _("Copy text"),
                "copy_link": _("Copy link"),
                "copyCode": _("Copy"),
                "copied": _("Copied"),
                "spoiler": _("Spoiler"),
                "delete": _("Delete"),
                "deleted": _("Message deleted"),
                "undo": _("Undo"),
                "pending": pending_message_html(member),
                "emoji": EMOJI_ONLY,
                "first": _("To the first unread"),
                "latest": _("To the latest"),
                "count": _("{n} new", n="{}"),
                "unread": _("unread"),
                "new_message": _("New message"),
                "next": _("the next disappears in {time}", time="{}"),
                "fresh": _("New"),
                **_move_texts(),
                "close": _("Close"),
                "open_once": _("Open once"),
                "opened": _("You have opened it."),
                "opened_by": _("Once: opened by {n} of {all}", n="{n}", all="{all}"),
                "opened_from": _("From {name}, once", name="{}"),
                "opened_hint": _("Only you see this, and only until you close it."),
                "not_for_you": _("For those who were here when it was posted, once."),
            },
        )
        self._room = room
        self._member = member
        self._page_size = self.context.chat.settings.page_size
        self._run_action: Act | None = None
        self._action_ids: set[str] = set()
        self._orders = Orders()
        self._hidden: set[int] = set()  # seqs whose deletion can still be undone on the page
        self.on_latest_event("read", self._mark_read)
        self.on_event("act", self._act)
        self.on_event("react", self._react)
        self.on_event("find", self._find)
        self.on_event("open", self._open)

    def add_actions(self, actions: Sequence[tuple[str, str]], act: Act) -> None:
        """Add items to the menus: ids and texts. `act` is called with an id and the message's seq.

        The seq comes from the browser, and may be of no message.
        """
        self._run_action = act
        self._action_ids = {id for id, _ in actions}
        self._props["actions"] = list(actions)

    def keep_order(self, role: str, texts: Mapping[str, str], act: ActOnMember) -> None:
        """Add to the menus what somebody of that role may do to the authors; see `Orders`."""
        self._props.update(self._orders.allow(role, texts, act))

    def fail_action(self, error: ChatError) -> None:
        """Show why an action failed."""
        self.run_method("failAction", *self.language.reason(error))

    async def read_first(self) -> SyncResult:
        """Return the newest page, and the read mark."""
        try:
            newest = await self._newest()
            await self._tell_missed()
        except NotAMember:  # left on another page meanwhile: the catch-up leads elsewhere
            await self.subscription.stop()
            newest = SyncResult([], keep=[])
        return replace(newest, read={"": self._member.read_seq})

    def paint(self) -> str:
        """Return the list, scrolled to its end: a reversed column starts there without a script."""
        filled = " filled" if self.has_first_rows else ""
        return f'<div class="feed-frame painted{filled}">{super().paint()}</div>'

    async def _tell_missed(self) -> None:
        """Tell how many messages were posted and disappeared since the member has last read."""
        _, read_seq, last_seq = self.language, self._member.read_seq, self._room.last_seq
        live = await self.context.chat.messages.list_seqs(
            self._room.id, visitor_id=self.viewer, first=read_seq + 1, last=last_seq, limit=1
        )
        gone_seq = live[0] - 1 if live else last_seq
        if gone_seq > read_seq:
            text = _.count(
                "{n} message came and went while you were away",
                "{n} messages came and went while you were away",
                gone_seq - read_seq,
            )
            self.tell_missed(text, gone_seq)

    async def _history(self, **cursor: int) -> list[Message]:
        return await self.context.chat.messages.history(
            self._room.id,
            visitor_id=self.viewer,
            limit=self._page_size,
            **cursor,
        )

    async def load_page(self, cursor: Cursor) -> Page:
        """Return the page before or after a message, or the newest."""
        seqs = {}
        if cursor.before:
            seqs["before"] = read_seq(cursor.before)
        elif cursor.after:
            seqs["after"] = read_seq(cursor.after)
        try:
            page = await self._history(**seqs)
        except NotAMember:  # the catch-up leads elsewhere
            page = []
        rows = await self._draw_all(page)
        return Page(rows, more=len(page) == self._page_size)

    async def _draw_all(self, messages: Sequence[Message]) -> list[Row]:
        """Draw messages; code that is not highlighted soon is drawn without colours."""
        await self.context.highlighter.wait_for(messages)
        return await draw_each(messages, self._draw)

    def _draw(self, message: Message) -> Row:
        tokens = self.context.highlighter.find(message)
        return message_row(message, self.context.plugins.drawer, tokens)

    async def _newest(self) -> SyncResult:
        newest = await self._history()
        rows = await self._draw_all(newest)
        return SyncResult(rows, keep=[], more=len(newest) == self._page_size)

    async def catch_up(self, shown: ClientState) -> SyncResult | None:
        """Return what the page has missed, or the newest page if that is too much.

        The page may show the last message and still lack one before it. A page that is scrolled up
        does not show new messages, but it has to know that there are some.
        """
        seqs = {seq for key in shown.keys if (seq := read_seq(key))}
        first = min(seqs, default=0) if shown.older else 0  # older ones are loaded by scrolling
        last = max(seqs, default=0)
        newest_seq = max(last, read_seq(shown.newest_key))
        try:
            live = await self.context.chat.messages.list_seqs(
                self._room.id,
                visitor_id=self.viewer,
                first=first,
                last=last,
                limit=_LIVE_SEQS_MAX,
            )
            changed = await self.context.chat.messages.list_changed(
                self._room.id, visitor_id=self.viewer, first=first, last=last, limit=_ROWS_ON_PAGE
            )
            newer = await self._history(after=min({*live} - seqs, default=newest_seq + 1) - 1)
            if self.subscription.is_stopped:
                # The member left and joined again while the page was offline.
                ui.navigate.to(f"/r/{self._room.slug}")
                return None
            is_far_behind = len(newer) == self._page_size and not shown.newest_key
            if is_far_behind or len(live) == _LIVE_SEQS_MAX:
                return await self._newest()
        except NotAMember:  # or the room has ended: then its page says so
            chat = self.context.chat
            is_open = chat.room_directory.summary(self._room.id) is not None
            # Whoever was removed is told so there.
            is_told = is_open and await chat.moderation.was_removed(self._room.id, self.viewer)
            ui.navigate.to("/" if is_open and not is_told else f"/r/{self._room.slug}")
            return None
        changed = [message for message in changed if message.seq in seqs]
        rows = await self._draw_all([*changed, *newer])
        return SyncResult(rows, keep=[*map(str, live)])

    async def _mark_read(self, arguments: dict[str, Any]) -> None:
        seq = read_seq(arguments.get("seq"))
        if seq > self._member.read_seq:
            await self.work.wait(Cost.READ_MARK)
            await self.context.chat.memberships.mark_read(
                self._room.id, visitor_id=self.viewer, seq=seq
            )

    async def _act(self, arguments: dict[str, Any]) -> None:
        act, seq = arguments.get("act"), read_seq(arguments.get("key"))
        if act == "delete":
            self._hidden.discard(seq)
            await self._delete(seq)
        elif await self._orders.handle(arguments):
            return
        elif act == "delete_later" and seq and len(self._hidden) < _HIDDEN_MAX:
            self._hidden.add(seq)
        elif act == "keep":
            self._hidden.discard(seq)
        elif self._run_action and isinstance(act, str) and act in self._action_ids:
            await self._run_action(act, seq)

    async def handle_disconnect(self) -> None:
        """Delete what is hidden: its author may never come back to the page."""
        if self.client.has_socket_connection:  # by another socket already
            return
        hidden, self._hidden = self._hidden, set()
        for seq in sorted(hidden):
            await self._delete(seq)

    async def _delete(self, seq: int) -> None:
        try:
            await self.work.spend(Cost.DELETE + self.context.broadcast_cost(self._room.id))
            with suppress(NotFound):  # it is deleted already
                await self.context.chat.messages.delete_by_seq(
                    self._room.id, visitor_id=self.viewer, seq=seq
                )
        except ChatError as error:
            self.run_method("failDeletion", str(seq), *self.language.reason(error))

    async def _react(self, arguments: dict[str, Any]) -> None:
        seq, emoji = read_seq(arguments.get("key")), arguments.get("emoji")
        if not isinstance(emoji, str):
            return
        try:
            await self.work.spend(Cost.REACTION + self.context.broadcast_cost(self._room.id))
            await self.context.chat.messages.react_by_seq(
                self._room.id,
                visitor_id=self.viewer,
                seq=seq,
                emoji=emoji.strip(),
                on=arguments.get("on") is True,
            )
        except ChatError as error:
            self.fail_action(error)

    async def _open(self, arguments: dict[str, Any]) -> None:
        """Give the page the text of a message that is opened once; nobody else gets it."""
        seq = read_seq(arguments.get("key"))
        if not self.client.has_socket_connection:  # it would be lost
            return
        try:
            await self.work.spend(Cost.DELETE + self.context.broadcast_cost(self._room.id))
            text = await self.context.chat.messages.open_once_by_seq(
                self._room.id, visitor_id=self.viewer, seq=seq
            )
        except ChatError as error:
            self.run_method("failOpening", str(seq), *self.language.reason(error))
        else:
            await self.call_script("showOpened", str(seq), opened_html(text))

    async def _find(self, arguments: dict[str, Any]) -> None:
        """Tell the page where messages are and what they say; nothing of those that are gone."""
        ids = arguments.get("ids")
        ids = [id for id in ids if isinstance(id, str)] if isinstance(ids, list) else []
        found = {}
        for id in ids[:_FOUND_MAX]:
            await self.work.wait(Cost.LIST_QUERY + Cost.ROW)
            with suppress(NotFound, NotAMember):
                message = await self.context.chat.messages.find(
                    self._room.id, visitor_id=self.viewer, message_id=id
                )
                found[id] = _describe(message)
        await self.call_script("showFound", ids[:_FOUND_MAX], found)


def _move_texts() -> dict[str, str]:
    """Return what join_notices.js says; it fills in the names and numbers."""
    _, places = current_language(), {"name": "{name}", "other": "{other}", "n": "{n}"}
    return {
        "joined_one": _("{name} joined", **places),
        "joined_two": _("{name} and {other} joined", **places),
        "joined_many": _("{name} and {n} others joined", **places),
        "left_one": _("{name} left", **places),
        "left_two": _("{name} and {other} left", **places),
        "left_many": _("{name} and {n} others left", **places),
    }


def _describe(message: Message) -> dict[str, object]:
    """Return what a page shows of a message that another one answers."""
    return {
        "key": str(message.seq),
        "name": message.nickname,
        "text": message.text[:_QUOTE_CHARACTERS],
        "until": int(message.expires_at.timestamp() * 1000),
    }
