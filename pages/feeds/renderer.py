"""Renders bus events as rows of the live lists, and chooses the topics that they are sent to."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from anonchat import (
    BadgeChanged,
    Chat,
    CodeHighlighter,
    DoorsChanged,
    Event,
    EventsLost,
    Language,
    Member,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MembersMentioned,
    Message,
    MessageDrawer,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    PeriodicTask,
    PresenceChanged,
    PurgeStats,
    Room,
    RoomActivity,
    RoomChanged,
    RoomEnded,
    RoomOpened,
    RoomRead,
    RoomSummary,
    TranscriptAsked,
    TranscriptEnded,
    TranscriptQuestion,
    TypingChanged,
    VisitorForgotten,
    VisitorTold,
    has_code,
    iterate_cooperatively,
    role_of,
    visitor_lifetime,
)

from ..rows import (
    PURGE_STATS_LINES,
    Row,
    card_row,
    composer_properties,
    describe_question,
    describe_typing,
    facts_row,
    lobby_counts_row,
    member_row,
    message_row,
    presence_row,
    profile_row,
    purge_stats_rows,
    sidebar_row,
    standing_properties,
    title_row,
)
from .broadcaster import FeedBroadcaster
from .topics import (
    LOBBY_COUNTS,
    NEW_ROOMS,
    PURGE_STATS,
    card_topic,
    facts_topic,
    members_topic,
    messages_topic,
    presence_topic,
    profile_topic,
    sidebar_room_topic,
    sidebar_topic,
)

_INTERVAL_SECONDS = 1.0


class FeedRenderer:
    """Subscribes to the bus and updates the live lists.

    Messages are published at once. Rows that many messages change slightly (the unread count, the
    next expiry, the activity of a room) are drawn at most once per second.
    """

    def __init__(
        self,
        chat: Chat,
        feeds: FeedBroadcaster,
        highlighter: CodeHighlighter,
        drawer: MessageDrawer | None = None,
    ) -> None:
        """`drawer` draws what plugins draw of messages."""
        self._chat = chat
        self._highlighter = highlighter
        self._highlighting: dict[tuple[str, int], asyncio.Task[None]] = {}  # by room id and seq
        self._drawer = drawer
        self._feeds = feeds
        self._changed_rooms: set[str] = set()
        self._presence_changed: set[str] = set()  # rooms with a changed number present
        self._last_deleted: dict[str, int] = {}  # highest deleted seq by room id
        self._counts = (-1, -1)
        self._stats: PurgeStats | None = None
        self._task = PeriodicTask(self._update, seconds=_INTERVAL_SECONDS, name="feed renderer")
        chat.bus.subscribe(self._on_event)

    def start(self) -> None:
        """Start the periodic updates."""
        self._task.start()

    def stop(self) -> None:
        """Stop the updates."""
        self._task.stop()
        for task in self._highlighting.values():
            task.cancel()
        self._highlighter.stop()

    async def _on_event(self, event: Event) -> None:
        feeds = self._feeds
        match event:
            case MessagePosted(room, message, visitor_id):
                row = message_row(message, self._drawer)
                feeds.put(messages_topic(room.id), lambda _: row)
                self._highlight(message)
                self._tell_author(message, visitor_id)
                self._changed_rooms.add(room.id)
            case MessageEdited(message) | MessageReacted(message) | MessageOpened(message):
                self._put_changed(message)
                self._highlight(message)
            case MembersMentioned(room_id, seq, visitor_ids, former_ids):
                for visitor_id in visitor_ids:
                    feeds.send_event(sidebar_topic(visitor_id), mentioned={room_id: seq})
                for visitor_id in former_ids:
                    feeds.send_event(sidebar_topic(visitor_id), recount=True)
            case MessagesDeleted(room_id, seqs):
                self._stop_highlighting(room_id, seqs)
                feeds.drop(messages_topic(room_id), *map(str, seqs))
                self._last_deleted[room_id] = max(self._last_deleted.get(room_id, 0), *seqs)
                self._changed_rooms.add(room_id)
            case RoomOpened(room):
                await self._add_to_lobby(room)
            case RoomChanged(room, was_listed):
                if not room.listed:
                    feeds.remove_topic(card_topic(room.id))
                elif not was_listed:
                    await self._add_to_lobby(room)
                for changed in await self._chat.room_directory.summaries([room.id]):
                    self._put_settings(changed.room)
                    self._put_room(changed, last_deleted=0)
            case RoomEnded(room_id, burnt):
                for topic in (messages_topic(room_id), facts_topic(room_id)):
                    feeds.send_event(topic, ended="burnt" if burnt else "quiet")
                feeds.remove_topic(card_topic(room_id))
                feeds.remove_topic(sidebar_room_topic(room_id))
            case DoorsChanged(room_id):
                feeds.send_event(facts_topic(room_id), doors=True)
            case MemberJoined(room, member):
                moved = {"author": member.author, "name": member.nickname, "joined": True}
                feeds.send_event(messages_topic(room.id), moved=moved)
                self._put_member(member, present=False)
                self._changed_rooms.add(room.id)
                await self._add_to_sidebar(member)
            case MemberChanged(member):
                present = self._chat.presence.list_present(member.room_id)
                self._put_member(member, present=member.author in present)
                self._send_standing(member)
            case MemberLeft(room_id, visitor_id, author, requested, removed):
                moved = {"author": author, "joined": False}
                feeds.send_event(messages_topic(room_id), moved=moved)
                feeds.drop(members_topic(room_id), author)
                feeds.drop(sidebar_topic(visitor_id), room_id)
                self._changed_rooms.add(room_id)
                self._presence_changed.add(room_id)
                await self._remove_member(room_id, visitor_id, requested=requested, removed=removed)
            case PresenceChanged(member, present):
                self._put_member(member, present=present)
                self._changed_rooms.add(member.room_id)
                self._presence_changed.add(member.room_id)
            case TypingChanged(room_id, typing):
                news = describe_typing(room_id, typing)
                feeds.send_event(presence_topic(room_id), typing=news)
            case TranscriptAsked(question):
                self._show_question(question, granted=None)
            case TranscriptEnded(question, granted):
                self._show_question(question, granted=granted)
            case RoomRead(visitor_id, room_id, seq):
                feeds.send_event(sidebar_topic(visitor_id), read={room_id: seq})
            case RoomActivity(rooms, deleted_seqs):
                for room_id, seq in deleted_seqs.items():
                    self._last_deleted[room_id] = max(self._last_deleted.get(room_id, 0), seq)
                self._changed_rooms.update(deleted_seqs, (room.id for room in rooms))
            case EventsLost():
                feeds.request_sync()
            case BadgeChanged(visitor_id):
                await self._put_badge(visitor_id)
            case VisitorTold(room_id, visitor_id, text):
                feeds.send_event(sidebar_topic(visitor_id), told={"room": room_id, "text": text})
            case VisitorForgotten(visitor_id):
                feeds.send_event(sidebar_topic(visitor_id), gone=True)

    def _tell_author(self, message: Message, visitor_id: str) -> None:
        """Tell pages of the author that do not show the room that a message is their own."""
        topic, room_id = sidebar_topic(visitor_id), message.room_id
        pages = self._feeds.subscriptions.count(topic)
        if pages > 1 or (pages and message.author not in self._chat.presence.list_present(room_id)):
            self._feeds.send_event(topic, own={room_id: message.seq})

    def _show_question(self, question: TranscriptQuestion, *, granted: bool | None) -> None:
        if summary := self._chat.room_directory.summary(question.room_id):
            shown = describe_question(
                question, summary.room, now=self._chat.clock(), granted=granted
            )
            self._feeds.send_event(presence_topic(question.room_id), transcript=shown)

    def _highlight(self, message: Message) -> None:
        """Draw a message again when the colours of its code are found."""
        key = message.room_id, message.seq
        self._stop_highlighting(message.room_id, [message.seq])
        if not has_code(message.text):
            return
        task = asyncio.create_task(self._put_highlighted(message), name="highlighting")
        self._highlighting[key] = task
        task.add_done_callback(lambda done: self._end_highlighting(key, done))

    def _put_changed(self, message: Message) -> None:
        """Draw a message again, on the pages that show it."""
        row = message_row(message, self._drawer, self._highlighter.find(message))
        shown_only = replace(row, order=None)
        self._feeds.put(messages_topic(message.room_id), lambda _: shown_only)

    async def _put_highlighted(self, message: Message) -> None:
        if not await self._highlighter.highlight(message):
            return
        self._put_changed(message)

    def _stop_highlighting(self, room_id: str, seqs: Iterable[int]) -> None:
        for seq in seqs:
            if task := self._highlighting.pop((room_id, seq), None):
                task.cancel()

    def _end_highlighting(self, key: tuple[str, int], task: asyncio.Task[None]) -> None:
        if self._highlighting.get(key) is task:
            del self._highlighting[key]

    def _put_member(self, member: Member, *, present: bool) -> None:
        """Draw a member as they are now: events of presence carry them as they were."""
        current, role = self._chat.memberships.current(member), self._find_role(member)
        self._feeds.put(
            members_topic(member.room_id),
            lambda language: member_row(current, role=role, present=present, language=language),
        )

    def _find_role(self, member: Member) -> str:
        summary = self._chat.room_directory.summary(member.room_id)
        current = self._chat.memberships.current(member)
        return role_of(current, summary.room) if summary else current.role

    def _send_standing(self, member: Member) -> None:
        """Tell a member on their own pages that they have another role, or about a mute."""
        summary = self._chat.room_directory.summary(member.room_id)
        if summary is None:
            return
        standing = standing_properties(member, summary.room, now=self._chat.clock())
        topic = sidebar_topic(member.visitor_id)
        self._feeds.send_event(topic, standing={"room": member.room_id, **standing})

    async def _put_badge(self, visitor_id: str) -> None:
        """Show the new badge of a visitor in the rooms that are open on this node."""
        chat = self._chat
        visitor = await chat.identity.get(visitor_id)
        lifetime = visitor_lifetime(chat.settings, has_posted=visitor.has_posted)
        self._feeds.put(
            profile_topic(visitor_id),
            lambda language: profile_row(visitor, lifetime, language=language),
        )
        for membership in await chat.memberships.list_of_visitor(visitor_id):
            member = membership.member
            is_present = member.author in chat.presence.list_present(member.room_id)
            self._put_member(member, present=is_present)

    async def _add_to_lobby(self, room: Room) -> None:
        """Show a room that was not listed before, if it is now.

        It comes first; the others keep their place: no jumps while reading.
        """
        summary = self._chat.room_directory.summary(room.id)
        if not room.listed or summary is None:
            return
        first = -room.created_at.timestamp()
        feeds = self._feeds
        feeds.put(NEW_ROOMS, lambda language: card_row(summary, order=first, language=language))
        for feed in feeds.subscriptions.find(NEW_ROOMS):
            await feed.add_live(feed.row_topics([room.id]))

    async def _add_to_sidebar(self, member: Member) -> None:
        """Add a room that was just joined to the visitor's sidebar, with its read mark."""
        summary = self._chat.room_directory.summary(member.room_id)
        own = sidebar_topic(member.visitor_id)
        if summary is None:
            return
        self._feeds.put(own, lambda language: sidebar_row(summary, language=language))
        self._feeds.send_event(own, read={member.room_id: member.read_seq})
        for feed in self._feeds.subscriptions.find(own):
            await feed.add_live(feed.row_topics([member.room_id]))

    async def _remove_member(
        self, room_id: str, visitor_id: str, *, requested: bool, removed: bool
    ) -> None:
        """Remove the room from all pages of a former member and redirect those that show it."""
        own = sidebar_topic(visitor_id)
        self._feeds.send_event(own, left=room_id, requested=requested, removed=removed)
        for feed in self._feeds.subscriptions.find(own):
            await feed.remove(feed.row_topics([room_id]))
        for topic in (messages_topic, members_topic, facts_topic, presence_topic):
            for feed in self._feeds.subscriptions.find(topic(room_id)):
                if feed.viewer == visitor_id:
                    await feed.stop()

    async def _update(self) -> None:
        room_ids, self._presence_changed = self._presence_changed, set()
        for summary in filter(None, map(self._chat.room_directory.summary, room_ids)):
            self._put_present_row(summary)
        changed = self._changed_rooms | await self._chat.room_directory.tick()
        deleted_seqs = self._last_deleted
        self._changed_rooms, self._last_deleted = set(), {}
        summaries = await self._chat.room_directory.summaries(changed)
        async for summary in iterate_cooperatively(summaries):
            self._put_room(summary, last_deleted=deleted_seqs.get(summary.room.id, 0))
        counts = self._chat.room_directory.count()
        if counts != self._counts:
            self._counts = counts
            self._feeds.put(
                LOBBY_COUNTS, lambda language: lobby_counts_row(*counts, language=language)
            )
        self._put_purge_stats_rows()

    def _put_present_row(self, summary: RoomSummary) -> None:
        self._feeds.put(
            presence_topic(summary.room.id),
            lambda language: presence_row(summary, language=language),
        )

    def _put_purge_stats_rows(self) -> None:
        stats = self._chat.purge_stats.stats
        if stats is None or stats == self._stats:
            return
        self._stats = stats
        for line in range(PURGE_STATS_LINES):
            self._feeds.put(PURGE_STATS, partial(_purge_stats_row, stats, line))

    def _put_settings(self, room: Room) -> None:
        """Change title, header and composer of the pages that show the room."""
        row, facts = title_row(room), facts_topic(room.id)
        shortest = self._chat.settings.message_ttl_min
        title = f"{room.name} · {self._chat.settings.name}"
        self._feeds.put(facts, lambda _: row)
        self._feeds.send_translated(
            facts,
            lambda language: {
                "title": title,
                "composer": composer_properties(room, shortest=shortest, language=language),
                "doors": True,
            },
        )

    def _put_room(self, summary: RoomSummary, *, last_deleted: int) -> None:
        room = summary.room
        if last_deleted >= summary.first_seq:
            # A message after the first is deleted: first and last seq do not give the unread count.
            self._feeds.send_event(sidebar_room_topic(room.id), recount=True)
        self._feeds.put(
            sidebar_room_topic(room.id), lambda language: sidebar_row(summary, language=language)
        )
        self._feeds.put(
            facts_topic(room.id), lambda language: facts_row(summary, language=language)
        )
        if room.listed:
            self._feeds.put(
                card_topic(room.id),
                lambda language: card_row(summary, order=None, language=language),
            )


def _purge_stats_row(stats: PurgeStats, line: int, language: Language) -> Row:
    return purge_stats_rows(stats, language=language)[line]
