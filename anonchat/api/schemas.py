"""Request and response models of the API."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from .. import entities
from ..durations import format_duration, parse_duration
from ..mutes import find_mute
from ..text.markdown import draw_html
from .cursors import CURSOR_PATTERN

PAGE_DEFAULT = 50
PAGE_MAX = 200
SEQ_MAX = 2**53 - 1
"""The largest integer that every JSON parser represents exactly."""

_DURATION = r"^[1-9][0-9]{0,9}[smhd]$"
_PAUSE = r"^(0s|[1-9][0-9]{0,9}[smhd])$"
_AUTHOR = Field(
    description="A pseudonym of the author, unique to this room.", examples=["9f2b4c6d8e0a1b3c5d"]
)
_NICKNAME = Field(description="The nickname of the author.", examples=["Night Owl"])
_ROLE = Field(description="`owner`, `helper` or `member`.", examples=["member"])
_PASSWORD = Field(
    default="", description="Up to 200 characters; empty: none.", examples=["swordfish"]
)
_CODE = "k7mq2x9dp4hv8nb3tw6czr5yfga"
_CONFIRMED = Field(
    default=True,
    description="Whether to post it even if there are doubts. If not, they are answered as "
    "`needs-confirmation`.",
)
_DEDUP_ID = r"^[!-~]{1,64}$"
_EXPIRES_AT = Field(description="When it expires.", examples=["2030-01-02T12:00:00Z"])

Item = TypeVar("Item")


def _check_duration(text: str) -> str:
    parse_duration(text)
    return text


def _check_pause(text: str) -> str:
    parse_pause(text)
    return text


Duration = Annotated[
    str,
    Field(
        pattern=_DURATION,
        description="A whole number of seconds, minutes, hours or days.",
        examples=["90s", "10m", "24h", "7d"],
    ),
]
GivenDuration = Annotated[Duration, AfterValidator(_check_duration)]
RoomDuration = Annotated[Duration, BeforeValidator(format_duration)]
Pause = Annotated[
    str,
    Field(
        pattern=_PAUSE,
        description="The time between two messages of a member; `0s`: none.",
        examples=["0s", "30s"],
    ),
]
GivenPause = Annotated[Pause, AfterValidator(_check_pause)]
RoomPause = Annotated[Pause, BeforeValidator(format_duration)]


class _RequestModel(BaseModel):
    """Base of request models: strict, so that a misspelt field is an error."""

    model_config = ConfigDict(strict=True, extra="forbid")


class _ResponseModel(BaseModel):
    """Base of response models, which are built from entities; all their fields are present."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


class Page(_ResponseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = Field(
        pattern=CURSOR_PATTERN,
        description="Send this as `cursor` for the next page; null on the last page.",
        examples=["WzQyLCBudWxsXQ"],
    )


class SignIn(_RequestModel):
    """A sign-in."""

    nickname: str = Field(description="1 to 24 characters.", examples=["Night Owl"])
    secret_phrase: str = Field(
        default="",
        description="8 to 200 characters. With a nickname and its secret phrase you sign in "
        "again as the same visitor.",
        examples=["correct horse battery staple"],
    )
    solution: str = Field(
        default="",
        description="The solution of the challenge of `puzzle-unsolved`.",
        examples=["1900000000.c2f1d3.9a8b7c:41207"],
    )


class PreferenceChanges(_RequestModel):
    """Changes of what you show. What is absent stays as it is."""

    shows_typing: bool | None = Field(
        default=None, description="Whether the others see that you are typing.", examples=[False]
    )
    shows_presence: bool | None = Field(
        default=None,
        description="Whether the others see that you are here. If not, they do not see that you "
        "are typing either.",
        examples=[True],
    )


class NewRoom(_RequestModel):
    """A room to find or create. Other fields than `name` and `password` apply to a new one only."""

    name: str = Field(description="1 to 60 characters.", examples=["Night Train"])
    listed: bool = Field(
        default=True, description="Whether it is public. A room that is not is always a new one."
    )
    password: str = _PASSWORD
    message_ttl: GivenDuration | None = Field(
        default=None, description="How long a message is kept."
    )
    room_ttl: GivenDuration | None = Field(
        default=None, description="How long the room is kept after its last activity."
    )
    topic: str = Field(default="", examples=["Where are you going?"])


class RoomChanges(_RequestModel):
    """Changes of a room. What is absent stays as it is."""

    name: str | None = Field(
        default=None, description="1 to 60 characters.", examples=["Day Train"]
    )
    topic: str | None = Field(default=None, examples=["Where have you been?"])
    message_ttl: GivenDuration | None = Field(
        default=None, description="How long messages that are posted from now on are kept."
    )
    room_ttl: GivenDuration | None = Field(
        default=None, description="How long the room is kept after its last activity."
    )
    listed: bool | None = Field(
        default=None, description="Whether it is public. Its URL stays the same."
    )
    password: str | None = Field(
        default=None,
        description="What joining needs from now on, up to 200 characters; empty: nothing.",
        examples=["swordfish"],
    )
    locked: bool | None = Field(default=None, description="Whether nobody else may join.")
    asks: bool | None = Field(
        default=None, description="Whether owner and helpers let in each one who wants to join."
    )
    members_max: int | None = Field(
        default=None,
        ge=0,
        le=SEQ_MAX,
        description="The most members; 0: as many as in any room.",
        examples=[20],
    )
    paused: bool | None = Field(
        default=None, description="Whether only owner and helpers may post."
    )
    slow_mode: GivenPause | None = None
    unwanted: list[str] | None = Field(
        default=None, description="Words that are refused in messages.", examples=[["casino"]]
    )


class NewRole(_RequestModel):
    """A role to give to a member."""

    role: Literal["owner", "helper", "member"] = Field(examples=["helper"])


class Mute(_RequestModel):
    """How long a member may not write."""

    duration: GivenDuration | None = Field(
        default=None, description="As long as the room exists if absent.", examples=["10m"]
    )


class Key(_RequestModel):
    """What is needed to join a room."""

    password: str = _PASSWORD
    invite: str = Field(
        default="",
        max_length=64,
        description="The code of an invitation, which leads past a password and a lock.",
        examples=[_CODE],
    )


class NewInvite(_RequestModel):
    """An invitation to make."""

    ttl: GivenDuration = Field(default="1d", description="How long it can be used.")
    uses: int = Field(
        default=0,
        ge=0,
        le=SEQ_MAX,
        description="How often it can be used; 0: as often as wanted.",
        examples=[1],
    )


class NewKnock(_RequestModel):
    """What is needed to ask."""

    password: str = _PASSWORD


class KnockAnswer(_RequestModel):
    """An answer to somebody who asks to come in."""

    let_in: bool = Field(default=True, description="Whether they become a member.")


class NewMessage(_RequestModel):
    """A text to post."""

    text: str = Field(description="1 to 4,000 characters, 200 lines.", examples=["Hi!"])
    dedup_id: str | None = Field(
        default=None,
        pattern=_DEDUP_ID,
        description="Your idempotency key: posting again with it stores no second message.",
        examples=["3f1c"],
    )
    reply_to: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]{0,64}$",
        description="The `id` of the message that it answers.",
        examples=["pS3kX0v1cN6i4yXl"],
    )
    ttl: GivenDuration | None = Field(
        default=None,
        description="How long it is kept, at most as long as other messages of the room.",
    )
    once: bool = Field(
        default=False,
        description="Whether those who are members now can each open it a single time. It is "
        "deleted when all have, and after 24 hours at the latest.",
    )
    confirmed: bool = _CONFIRMED


class MessageChanges(_RequestModel):
    """A text that replaces that of a message."""

    text: str = Field(description="1 to 4,000 characters, 200 lines.", examples=["Hello!"])
    confirmed: bool = _CONFIRMED


class NewCommand(_RequestModel):
    """A command to run."""

    text: str = Field(
        description="A slash, the name of the command, and its arguments.", examples=["/roll 2"]
    )
    dedup_id: str | None = Field(
        default=None,
        pattern=_DEDUP_ID,
        description="Your idempotency key: a retry with it posts no second message.",
        examples=["3f1c"],
    )


class Visitor(_ResponseModel):
    """A visitor who has just signed in."""

    token: str = Field(
        description="The secret to send as `Authorization: Bearer …`. Returned only once.",
        examples=["mJ0v1cN6i4yXl2h8Zz3k5q7w9t0u_BdEfGhIjKlMnOp"],
    )
    nickname: str = _NICKNAME
    expires_at: datetime = Field(
        description="When the visitor expires unless active before; soon for a new visitor.",
        examples=["2030-01-01T12:10:00Z"],
    )


class Preferences(_ResponseModel):
    """What you show to the members of your rooms."""

    shows_typing: bool = Field(examples=[False])
    shows_presence: bool = Field(examples=[True])


class Membership(_ResponseModel):
    """The membership of the caller in a room."""

    author: str = _AUTHOR
    nickname: str = _NICKNAME
    owner: bool = Field(description="Whether the caller owns the room.")
    role: str = _ROLE

    @classmethod
    def of(cls, member: entities.Member, room: entities.Room) -> Self:
        """Convert a member."""
        return cls(
            author=member.author,
            nickname=member.nickname,
            owner=member.author == room.owner,
            role=entities.role_of(member, room) or "member",
        )


class Member(_ResponseModel):
    """A member of a room."""

    author: str = _AUTHOR
    nickname: str = _NICKNAME
    role: str = _ROLE
    muted_until: datetime | None = Field(
        description="Until when they may not write; in the year 9999 if as long as the room "
        "exists. Null if they may.",
        examples=["2030-01-01T12:10:00Z"],
    )

    @classmethod
    def of(cls, member: entities.Member, room: entities.Room, now: datetime) -> Self:
        """Convert a member."""
        return cls(
            author=member.author,
            nickname=member.nickname,
            role=entities.role_of(member, room) or "member",
            muted_until=find_mute(member.muted_until, now),
        )


class Ban(_ResponseModel):
    """Somebody who may not join a room again."""

    author: str = _AUTHOR
    nickname: str = Field(
        description="The nickname; empty once they are forgotten.", examples=["Night Owl"]
    )
    created_at: datetime = Field(
        description="When they were banned, to the minute.", examples=["2030-01-01T12:00:00Z"]
    )


class RoomSettings(_ResponseModel):
    """What the owner of a room can change, and when the room ends accordingly."""

    @classmethod
    def of(cls, room: entities.Room) -> Self:
        """Convert a room."""
        return cls.model_validate(list_fields(room))

    name: str = Field(examples=["Night Train"])
    topic: str = Field(examples=["Where are you going?"])
    message_ttl: RoomDuration
    room_ttl: RoomDuration
    expires_at: datetime = _EXPIRES_AT
    listed: bool = Field(description="Whether it is public.")
    has_password: bool = Field(description="Whether joining needs a password.")
    locked: bool = Field(description="Whether nobody else may join.")
    asks: bool = Field(description="Whether owner and helpers let in each one who wants to join.")
    members_max: int = Field(
        ge=0, examples=[0], description="The most members; 0: as many as in any room."
    )
    paused: bool = Field(description="Whether only owner and helpers may post.")
    slow_mode: RoomPause


class Room(RoomSettings):
    """A room."""

    slug: str = Field(description="The end of its URL: `/r/{slug}`.", examples=["night-train"])
    here: int = Field(ge=0, examples=[3], description="How many members have it open now.")
    active_at: datetime = Field(examples=["2030-01-01T12:00:00Z"])


class RoomView(Room):
    """A room with the membership of the caller."""

    members: int = Field(ge=0, examples=[12], description="How many members it has.")
    membership: Membership | None = Field(description="Null if the caller is not a member.")
    unwanted: list[str] | None = Field(
        description="Words that are refused in messages; null unless the caller keeps order.",
        examples=[["casino"]],
    )


class Invite(_ResponseModel):
    """An invitation to a room."""

    code: str = Field(description="The end of its URL: `/i/{code}`.", examples=[_CODE])
    uses: int = Field(ge=0, examples=[0], description="How often it was used.")
    uses_max: int = Field(
        ge=0, examples=[1], description="How often it can be used; 0: as often as wanted."
    )
    expires_at: datetime = _EXPIRES_AT


class Knock(_ResponseModel):
    """Somebody who asks to come into a room."""

    author: str = Field(
        description="A pseudonym for the time of waiting.", examples=["9f2b4c6d8e0a1b3c5d"]
    )
    nickname: str = _NICKNAME


class OwnRoom(Room):
    """A room of which the caller is a member."""

    membership: Membership
    unread: int = Field(
        ge=0,
        examples=[4],
        description="How many messages were not yet fetched, streamed or displayed.",
    )


class Reaction(_ResponseModel):
    """A reaction to a message, of one kind."""

    emoji: str = Field(examples=["👍"])
    count: int = Field(ge=1, examples=[2], description="How many have reacted with it.")
    mine: bool = Field(default=False, description="Whether the caller is one of them.")


class TranscriptQuestion(_ResponseModel):
    """A question to all who are present whether the transcript of a room may be saved."""

    id: str = Field(examples=["pS3kX0v1cN6i4yXl"])
    author: str = _AUTHOR
    until: datetime = Field(
        examples=["2030-01-01T12:01:00Z"], description="When it ends if not all have answered."
    )


class TranscriptAnswer(_RequestModel):
    """An answer to the question whether a transcript may be saved."""

    agrees: bool = Field(description="`false` refuses, which ends the question.")


class Message(_ResponseModel):
    """A message."""

    id: str = Field(examples=["pS3kX0v1cN6i4yXl"])
    seq: int = Field(
        ge=1,
        examples=[42],
        description="Its number in the room: 1, 2, 3 …, without gaps when posted.",
    )
    nickname: str = _NICKNAME
    author: str = _AUTHOR
    text: str = Field(examples=["dice: [4,2]"])
    posted_at: datetime = Field(examples=["2030-01-01T12:00:00Z"])
    expires_at: datetime = _EXPIRES_AT
    kind: str = Field(
        description="What it is, if it is more than a text. Then `text` is for readers that do not "
        "know the kind.",
        examples=["dice"],
    )
    html: str | None = Field(
        default=None,
        description="The text drawn as HTML, whose only tags are those of Markdown. In events "
        "always, in lists with `format=html`; else null.",
        examples=["<strong>dice</strong>: [4,2]"],
    )
    data: Any = Field(
        description="What a message of this kind consists of, any JSON; null in ordinary messages.",
        examples=[[4, 2]],
    )
    reply_to: str = Field(
        description="The `id` of the message that it answers, which may be gone; else empty.",
        examples=["pS3kX0v1cN6i4yXl"],
    )
    mentions: list[str] = Field(
        description="The `author` of each member whom the text names as `@nickname`.",
        examples=[["9f2b4c6d8e0a1b3c5d"]],
    )
    edited: bool = Field(description="Whether its author has changed the text.")
    reactions: list[Reaction] = Field(description="At most 20 kinds, the first one first.")
    once: bool = Field(
        description="Whether each reader can open it a single time. Then `text` is empty, for its "
        "author, too."
    )
    opened: int = Field(ge=0, examples=[0], description="How many have opened it, if it is `once`.")
    revision: int = Field(
        ge=0,
        examples=[0],
        description="Counts its changes. If you have it with a higher one, that is newer.",
    )

    @classmethod
    def of(cls, message: entities.Message, reader: str) -> Self:
        """Convert a message for the reader with this pseudonym."""
        shown = cls.model_validate(message)
        for reaction, each in zip(shown.reactions, message.reactions, strict=True):
            reaction.mine = reader in each.authors
        return shown

    @classmethod
    def of_author(cls, message: entities.Message) -> Self:
        """Convert a message for its author."""
        return cls.of(message, message.author)

    @classmethod
    def drawn(cls, message: entities.Message, reader: str, *, html: str | None = None) -> Self:
        """Convert a message with its text as HTML, which is drawn unless it is given."""
        html = draw_html(message.text) if html is None else html
        return cls.of(message, reader).model_copy(update={"html": html})


class Opening(_ResponseModel):
    """What was said in a message that the caller has opened."""

    text: str = Field(examples=["The key is under the mat."])
    html: str = Field(
        description="The text drawn as HTML, whose only tags are those of Markdown.",
        examples=["The key is under the mat."],
    )

    @classmethod
    def of(cls, text: str) -> Self:
        """Draw a text."""
        return cls(text=text, html=draw_html(text))


class Command(_ResponseModel):
    """A command that the caller may use."""

    name: str = Field(examples=["roll"])
    usage: str = Field(
        description="How it is written: `<required>` and `[optional]` arguments.",
        examples=["/roll [times]"],
    )
    help: str = Field(description="What it does, in English.", examples=["Roll dice."])


class CommandResult(_ResponseModel):
    """What a command has done."""

    told: str = Field(
        description="A text for the caller alone, or empty.", examples=["There are four dice."]
    )
    message: Message | None = Field(description="What it has posted; null if nothing.")


def list_fields(room: entities.Room) -> dict[str, object]:
    """Return the fields of a room and of its rules."""
    return {
        field.name: getattr(each, field.name)
        for each in (room, room.rules)
        for field in fields(each)
    }


def parse_pause(text: str | None) -> timedelta | None:
    """Parse an optional time that may be `0s`."""
    return timedelta() if text == "0s" else parse_optional_duration(text)


def parse_optional_duration(text: str | None) -> timedelta | None:
    """Parse an optional duration."""
    return parse_duration(text) if text else None
