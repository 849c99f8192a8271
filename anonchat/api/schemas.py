"""What goes over the wire: what a program may send, and what it is answered."""

from datetime import datetime, timedelta
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .. import nouns
from ..durations import format_duration, parse_duration
from .cursors import CURSOR

PAGE = 50
PAGE_MAX = 200
SEQ_MAX = 2**53 - 1
"""The largest whole number that every reader of JSON can hold."""

_DURATION = r"^[1-9][0-9]{0,9}[smhd]$"
_AUTHOR = Field(
    description="A pseudonym that is valid in this room alone.", examples=["9f2b4c6d8e0a1b3c5d"]
)
_NICKNAME = Field(description="What the author is called.", examples=["Night Owl"])
_TEXT = Field(examples=["Good evening!"])
_EXPIRES_AT = Field(description="From then on it is gone.", examples=["2030-01-02T12:00:00Z"])

Item = TypeVar("Item")


def _check_duration(text: str) -> str:
    parse_duration(text)
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


class _Sent(BaseModel):
    """What a program sends is taken by the letter: a misspelt field must not go unnoticed."""

    model_config = ConfigDict(strict=True, extra="forbid")


class _Given(BaseModel):
    """What a program is given."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Page(_Given, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: Annotated[
        str | None,
        Field(
            pattern=CURSOR,
            description="Give this back as `cursor` to go on; null at the end of the list.",
            examples=["WzQyLCBudWxsXQ"],
        ),
    ]


class Arrival(_Sent):
    """Somebody comes in."""

    nickname: Annotated[str, Field(description="1 to 24 characters.", examples=["Night Owl"])]
    secret_phrase: Annotated[
        str,
        Field(
            description="8 to 200 characters that belong to this nickname: with both one comes "
            "back as the same visitor.",
            examples=["correct horse battery staple"],
        ),
    ] = ""
    solution: Annotated[
        str,
        Field(
            description="The solution of the puzzle, if `puzzle-unsolved` has posed one.",
            examples=["1900000000.c2f1d3.9a8b7c:41207"],
        ),
    ] = ""


class NewRoom(_Sent):
    """A room to find or to create. All but the name counts only when it is created."""

    name: Annotated[str, Field(description="1 to 60 characters.", examples=["Night Train"])]
    listed: Annotated[
        bool,
        Field(description="Whether it is public. One that is not is always created anew."),
    ] = True
    password: Annotated[
        str | None,
        Field(
            description="Rooms with a password are still to come: refused as `not-supported`.",
            examples=["swordfish"],
        ),
    ] = None
    message_ttl: Annotated[GivenDuration | None, Field(description="How long a message lives.")] = (
        None
    )
    room_ttl: Annotated[
        GivenDuration | None, Field(description="How long the room lives while it is quiet.")
    ] = None
    topic: Annotated[str, Field(examples=["Where are you going?"])] = ""


class Key(_Sent):
    """What opens a room to one who wants to join."""

    password: Annotated[
        str | None,
        Field(
            description="Rooms with a password are still to come: refused as `not-supported`.",
            examples=["swordfish"],
        ),
    ] = None


class NewMessage(_Sent):
    """A text to post."""

    text: Annotated[str, Field(description="1 to 4,000 characters, 200 lines.", examples=["Hi!"])]
    dedup_id: Annotated[
        str | None,
        Field(
            pattern=r"^[!-~]{1,64}$",
            description="Chosen by you: posting again with it posts no second message.",
            examples=["3f1c"],
        ),
    ] = None


class Visitor(_Given):
    """A visitor who has just come in."""

    token: Annotated[
        str,
        Field(
            description="The secret to send as `Authorization: Bearer …`. It is told only now.",
            examples=["mJ0v1cN6i4yXl2h8Zz3k5q7w9t0u_BdEfGhIjKlMnOp"],
        ),
    ]
    nickname: Annotated[str, _NICKNAME]
    expires_at: Annotated[
        datetime,
        Field(
            description="When the visitor is forgotten, unless seen before; soon at first.",
            examples=["2030-01-01T12:10:00Z"],
        ),
    ]


class Membership(_Given):
    """Oneself as a member of a room."""

    author: Annotated[str, _AUTHOR]
    nickname: Annotated[str, _NICKNAME]
    owner: Annotated[bool, Field(description="Whether the room is one's own.")]

    @classmethod
    def of(cls, member: nouns.Member, room: nouns.Room) -> Self:
        """Show a member."""
        return cls(
            author=member.author,
            nickname=member.nickname,
            owner=member.author == room.owner,
        )


class Room(_Given):
    """A room."""

    slug: Annotated[str, Field(description="Its address: `/r/{slug}`.", examples=["night-train"])]
    name: Annotated[str, Field(examples=["Night Train"])]
    topic: Annotated[str, Field(examples=["Where are you going?"])]
    listed: Annotated[bool, Field(description="Whether it is public.")]
    message_ttl: Duration
    room_ttl: Duration
    here: Annotated[
        int, Field(ge=0, examples=[3], description="How many members have it open right now.")
    ]
    active_at: Annotated[datetime, Field(examples=["2030-01-01T12:00:00Z"])]
    expires_at: Annotated[datetime, _EXPIRES_AT]


class RoomView(Room):
    """A room as one who looks at it sees it."""

    members: Annotated[int, Field(ge=0, examples=[12], description="How many members it has.")]
    membership: Annotated[Membership | None, Field(description="Null if one is not in it.")]


class OwnRoom(Room):
    """A room one is in."""

    membership: Membership
    unread: Annotated[
        int,
        Field(
            ge=0,
            examples=[4],
            description="How many messages were neither fetched, heard nor seen.",
        ),
    ]


class Message(_Given):
    """A message."""

    id: Annotated[str, Field(examples=["pS3kX0v1cN6i4yXl"])]
    seq: Annotated[
        int,
        Field(
            ge=1, examples=[42], description="Counts 1, 2, 3 … in its room, without gaps as posted."
        ),
    ]
    nickname: Annotated[str, _NICKNAME]
    author: Annotated[str, _AUTHOR]
    text: Annotated[str, _TEXT]
    posted_at: Annotated[datetime, Field(examples=["2030-01-01T12:00:00Z"])]
    expires_at: Annotated[datetime, _EXPIRES_AT]

    @classmethod
    def of(cls, message: nouns.Message) -> Self:
        """Show a message."""
        return cls(
            id=message.id,
            seq=message.seq,
            nickname=message.nickname,
            author=message.author,
            text=message.text,
            posted_at=message.posted_at,
            expires_at=message.expires_at,
        )


class Ready(_Given):
    """Everything up to `seq` was told; what follows happens now."""

    seq: int


class Gone(_Given):
    """Messages were deleted, or have expired."""

    seqs: tuple[int, ...]


class Joined(_Given):
    """Somebody became a member."""

    author: str
    nickname: str


class Left(_Given):
    """A member left or was forgotten."""

    author: str


class Presence(_Given):
    """A member has opened the room, or has closed it on the last of their screens."""

    author: str
    nickname: str
    present: bool


class Ended(_Given):
    """The room is gone, with all that was said in it."""


def room_facts(room: nouns.Room, *, here: int) -> dict[str, object]:
    """Return what every view of a room has in common."""
    return {
        "slug": room.slug,
        "name": room.name,
        "topic": room.topic,
        "listed": room.listed,
        "message_ttl": format_duration(room.message_ttl),
        "room_ttl": format_duration(room.room_ttl),
        "here": here,
        "active_at": room.active_at,
        "expires_at": room.expires_at,
    }


def read_duration(text: str | None) -> timedelta | None:
    """Read a duration that was checked, or may be missing."""
    return parse_duration(text) if text else None
