"""Events that services publish after the commit; each has all that a page needs to render it.

The last ones travel between nodes only; a single node does not publish them.
"""

from dataclasses import dataclass

from .entities import Member, Message, Preferences, Room, TranscriptQuestion, Typing


@dataclass(frozen=True, slots=True)
class Event:
    """Base class of all events."""


@dataclass(frozen=True, slots=True)
class RoomOpened(Event):
    """A room was created."""

    room: Room


@dataclass(frozen=True, slots=True)
class RoomChanged(Event):
    """The owner changed what a room is called, its lifetimes or rules, or it has another owner.

    `was_listed` is whether it was listed before.
    """

    room: Room
    was_listed: bool = True


@dataclass(frozen=True, slots=True)
class RoomEnded(Event):
    """A room was deleted with its messages: it expired, or was closed (`burnt`)."""

    room_id: str
    burnt: bool = False


@dataclass(frozen=True, slots=True)
class RoomStateChanged(Event):
    """A plugin changed what it keeps for a room."""

    room_id: str
    plugin: str


@dataclass(frozen=True, slots=True)
class DoorsChanged(Event):
    """There are other invitations to a room, or others who wait for being let in."""

    room_id: str


@dataclass(frozen=True, slots=True)
class MemberJoined(Event):
    """A visitor became a member of a room."""

    room: Room
    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft(Event):
    """A member left a room: as `requested`, `removed`, displaced by another, or forgotten."""

    room_id: str
    visitor_id: str
    author: str
    requested: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class MemberChanged(Event):
    """A member has another role, owns the room now or no longer, or was muted or unmuted."""

    member: Member


@dataclass(frozen=True, slots=True)
class PresenceChanged(Event):
    """A member opened a first page with the room, or closed the last one; hidden ones do not."""

    member: Member
    present: bool


@dataclass(frozen=True, slots=True)
class TypingSignalled(Event):
    """A member is typing a message. It is never stored."""

    room_id: str
    author: str


@dataclass(frozen=True, slots=True)
class TypingChanged(Event):
    """Others than before are shown as typing; each node notices it by itself."""

    room_id: str
    typing: Typing


@dataclass(frozen=True, slots=True)
class MessagePosted(Event):
    """A message was stored. `room` is the room after the commit, which may hold other posts too.

    `visitor_id` is the visitor who posted it; it is never shown to readers.
    """

    room: Room
    message: Message
    visitor_id: str


@dataclass(frozen=True, slots=True)
class MessageEdited(Event):
    """Its author, the visitor `visitor_id`, has changed the text of a message."""

    message: Message
    visitor_id: str


@dataclass(frozen=True, slots=True)
class MessageReacted(Event):
    """The reactions to a message have changed. `visitor_id` is its author, as a visitor."""

    message: Message
    visitor_id: str


@dataclass(frozen=True, slots=True)
class MessageOpened(Event):
    """The readers of a message that can be opened once have changed: one has opened it.

    `visitor_id` is its author, as a visitor.
    """

    message: Message
    visitor_id: str


@dataclass(frozen=True, slots=True)
class MembersMentioned(Event):
    """The message `seq` of a room mentions these visitors; since an edit, it no longer mentions
    the former ones.
    """

    room_id: str
    seq: int
    visitor_ids: tuple[str, ...]
    former_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MessagesDeleted(Event):
    """Messages were deleted, or purged after they expired."""

    room_id: str
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class VisitorTold(Event):
    """A text is shown to one member of a room alone, and is not stored."""

    room_id: str
    visitor_id: str
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptAsked(Event):
    """A member asks all who are present for the transcript of a room."""

    question: TranscriptQuestion


@dataclass(frozen=True, slots=True)
class TranscriptAnswered(Event):
    """A member agrees to a transcript, or refuses it."""

    room_id: str
    question_id: str
    author: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class TranscriptEnded(Event):
    """A question for a transcript has ended; if it is `granted`, all have agreed."""

    question: TranscriptQuestion
    granted: bool


@dataclass(frozen=True, slots=True)
class RoomRead(Event):
    """A member has read a room up to `seq`."""

    visitor_id: str
    room_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class VisitorForgotten(Event):
    """A visitor was deleted: on request, or because they expired."""

    visitor_id: str


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    """A session of a visitor ended: signed out, or evicted by newer sessions."""

    visitor_id: str


@dataclass(frozen=True, slots=True)
class BadgeChanged(Event):
    """A visitor has a new badge: a secret phrase was added, or hashed with the current scheme."""

    visitor_id: str
    badge: str


@dataclass(frozen=True, slots=True)
class PreferencesChanged(Event):
    """A visitor shows more of themselves than before, or less."""

    visitor_id: str
    preferences: Preferences


@dataclass(frozen=True, slots=True)
class EventsLost(Event):
    """Events from other nodes may have been lost: reload cached state."""


@dataclass(frozen=True, slots=True)
class RoomActivity(Event):
    """Rooms with new messages, and the highest `seq` deleted, by the id of the room.

    The rooms carry no name, topic and slug: a receiver keeps those that it has cached.
    """

    rooms: tuple[Room, ...]
    deleted_seqs: dict[str, int]


@dataclass(frozen=True, slots=True)
class RoomsRead(Event):
    """A batch of read marks of members on another node."""

    marks: tuple[RoomRead, ...]


@dataclass(frozen=True, slots=True)
class PeerPresence(Event):
    """On another node, a member opened a first page with the room, or closed the last one."""

    node: str
    member: Member
    present: bool


@dataclass(frozen=True, slots=True)
class PresenceSnapshot(Event):
    """A heartbeat of a node with all members present there, or `None` without that list.

    `asks` requests a snapshot from the other nodes, `leaves` announces that this node stops.
    """

    node: str
    members: tuple[Member, ...] | None
    asks: bool = False
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class LimitUsage(Event):
    """Hits that another node counted: by the name of the limit, then by the hashed key."""

    usages: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class ChallengeRedeemed(Event):
    """A challenge was solved and cannot be used again."""

    challenge: str


@dataclass(frozen=True, slots=True)
class KeysCreated(Event):
    """A node created keys; they travel wrapped.

    Without `stored`, they are not in Valkey because it writes to disk; receivers store them there
    once it no longer does.
    """

    keys: dict[str, str]
    stored: bool = True


@dataclass(frozen=True, slots=True)
class KeysDestroyed(Event):
    """Keys were destroyed on one node; every node has to destroy them."""

    names: tuple[str, ...]
