"""From events to screens: which topics hear of an event, and what is drawn for them."""

import asyncio
from functools import partial

from anonchat import (
    Chat,
    Event,
    Glance,
    Member,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    PresenceChanged,
    Pulse,
    RoomEnded,
    RoomOpened,
    RoomRead,
    RoomsStirred,
    Tally,
    VisitorForgotten,
)

from .language import Language
from .live.feeds import Feeds, Topic
from .rows import (
    LEDGER_LINES,
    Row,
    card_row,
    facts_row,
    hall_row,
    ledger_rows,
    member_row,
    message_row,
    present_row,
    rail_row,
)

_TURN_SECONDS = 1.0
_ROOMS_AT_ONCE = 10

HALL = Topic("hall", "")
NEW_ROOMS = Topic("card", "new")
LEDGER = Topic("ledger", "")


def messages_of(room_id: str) -> Topic:
    """Return the topic of the messages of a room."""
    return Topic("messages", room_id)


def members_of(room_id: str) -> Topic:
    """Return the topic of the members of a room."""
    return Topic("members", room_id)


def facts_of(room_id: str) -> Topic:
    """Return the topic of what is known of a room."""
    return Topic("facts", room_id)


def present_in(room_id: str) -> Topic:
    """Return the topic of how many are in a room."""
    return Topic("present", room_id)


def card_of(room_id: str) -> Topic:
    """Return the topic of a public room in the lobby."""
    return Topic("card", room_id)


def rail_of(room_id: str) -> Topic:
    """Return the topic of a room among somebody's own."""
    return Topic("rail", room_id)


def own_of(visitor_id: str) -> Topic:
    """Return the topic of what concerns one visitor alone."""
    return Topic("rail", f"visitor {visitor_id}")


class News:
    """Listens to the bus, and lets time pass for what is shown of rooms from outside.

    Messages go out at once. What many of them change a little (how many are unread, what fades
    next, how lively a room is) is drawn once a second at most.
    """

    def __init__(self, chat: Chat, feeds: Feeds) -> None:
        self._chat = chat
        self._feeds = feeds
        self._changed: set[str] = set()
        self._crowds: set[str] = set()  # rooms that somebody entered or left
        self._gone: dict[str, int] = {}
        self._counted = (-1, -1)
        self._tally: Tally | None = None
        self._pulse = Pulse(self._turn, seconds=_TURN_SECONDS, name="news")
        chat.bus.subscribe(self._on_event)

    def start(self) -> None:
        """Let time pass."""
        self._pulse.start()

    def stop(self) -> None:
        """Stop the time."""
        self._pulse.stop()

    async def _on_event(self, event: Event) -> None:
        feeds = self._feeds
        match event:
            case MessagePosted(room, message):
                row = message_row(message)
                feeds.put(messages_of(room.id), lambda _: row)
                self._changed.add(room.id)
            case MessagesGone(room_id, seqs):
                feeds.drop(messages_of(room_id), *map(str, seqs))
                self._gone[room_id] = max(self._gone.get(room_id, 0), *seqs)
                self._changed.add(room_id)
            case RoomOpened(room):
                if room.listed and (glance := self._chat.lobby.glance(room.id)):
                    # New rooms come first and the others stay: a list that jumps cannot be read.
                    first = -room.created_at.timestamp()
                    feeds.put(
                        NEW_ROOMS,
                        lambda language: card_row(glance, order=first, language=language),
                    )
                    for feed in feeds.find(NEW_ROOMS):
                        await feed.follow(room.id)
            case RoomEnded(room_id, burnt):
                for topic in (messages_of(room_id), facts_of(room_id)):
                    feeds.tell(topic, ended="burnt" if burnt else "quiet")
                feeds.end(card_of(room_id))
                feeds.end(rail_of(room_id))
            case MemberJoined(room, member):
                self._put_member(member, present=False)
                self._changed.add(room.id)
                await self._put_own(member)
            case MemberLeft(room_id, visitor_id, author):
                feeds.drop(members_of(room_id), author)
                feeds.drop(own_of(visitor_id), room_id)
                self._changed.add(room_id)
                self._crowds.add(room_id)
                await self._show_out(room_id, visitor_id)
            case PresenceChanged(member, present):
                self._put_member(member, present=present)
                self._changed.add(member.room_id)
                self._crowds.add(member.room_id)
            case RoomRead(visitor_id, room_id, seq):
                feeds.tell(own_of(visitor_id), read={room_id: seq})
            case RoomsStirred(rooms, gone):
                for room_id, seq in gone.items():
                    self._gone[room_id] = max(self._gone.get(room_id, 0), seq)
                self._changed.update(gone, (room.id for room in rooms))
            case NewsMissed():
                feeds.look_again()
            case VisitorForgotten(visitor_id):
                feeds.tell(own_of(visitor_id), gone=True)

    def _put_member(self, member: Member, *, present: bool) -> None:
        self._feeds.put(
            members_of(member.room_id),
            lambda language: member_row(member, present=present, language=language),
        )

    async def _put_own(self, member: Member) -> None:
        """Show a room that was just joined among its visitor's own; what was said is read."""
        glance = self._chat.lobby.glance(member.room_id)
        own = own_of(member.visitor_id)
        if glance is None:
            return
        self._feeds.put(own, lambda language: rail_row(glance, language=language))
        self._feeds.tell(own, read={member.room_id: member.read_seq})
        for feed in self._feeds.find(own):
            await feed.follow(member.room_id)

    async def _show_out(self, room_id: str, visitor_id: str) -> None:
        """Take every screen of a former member out of the room."""
        own = own_of(visitor_id)
        self._feeds.tell(own, left=room_id)
        for feed in self._feeds.find(own):
            await feed.unfollow(room_id)
        for topic in tuple(of(room_id) for of in (messages_of, members_of, facts_of, present_in)):
            for feed in self._feeds.find(topic):
                if feed.viewer == visitor_id:
                    await feed.stop()

    async def _turn(self) -> None:
        self._show_crowds()
        changed = self._changed | await self._chat.lobby.turn()
        gone = self._gone
        self._changed, self._gone = set(), {}
        glances = await self._chat.lobby.glance_all(changed)
        for number, glance in enumerate(glances, 1):
            self._show(glance, last_gone=gone.get(glance.room.id, 0))
            if number % _ROOMS_AT_ONCE == 0:
                await asyncio.sleep(0)
        counted = self._chat.lobby.count()
        if counted != self._counted:
            self._counted = counted
            self._feeds.put(HALL, lambda language: hall_row(*counted, language=language))
        self._show_ledger()

    def _show_crowds(self) -> None:
        crowds, self._crowds = self._crowds, set()
        for glance in map(self._chat.lobby.glance, crowds):
            if glance:
                self._show_crowd(glance)

    def _show_crowd(self, glance: Glance) -> None:
        self._feeds.put(
            present_in(glance.room.id), lambda language: present_row(glance, language=language)
        )

    def _show_ledger(self) -> None:
        tally = self._chat.ledger.tally
        if tally is None or tally == self._tally:
            return
        self._tally = tally
        for line in range(LEDGER_LINES):
            self._feeds.put(LEDGER, partial(_ledger_row, tally, line))

    def _show(self, glance: Glance, *, last_gone: int) -> None:
        room = glance.room
        if last_gone >= glance.first_seq:
            # One in the middle is missing: first and last no longer tell how many are unread.
            self._feeds.tell(rail_of(room.id), recount=True)
        self._feeds.put(rail_of(room.id), lambda language: rail_row(glance, language=language))
        self._feeds.put(facts_of(room.id), lambda language: facts_row(glance, language=language))
        self._feeds.put(
            card_of(room.id), lambda language: card_row(glance, order=None, language=language)
        )


def _ledger_row(tally: Tally, line: int, language: Language) -> Row:
    return ledger_rows(tally, language=language)[line]
