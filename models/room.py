"""Rooms."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from . import naming  # noqa: F401  # names constraints before the first table
from .counting import Count


class RoomRow(SQLModel, table=True):
    """A room. Only a listed room can be found by name; lifetimes are in seconds.

    `was_entered` is whether anybody but its maker ever joined; until then it lives shorter.
    Two listed rooms whose names look alike share `shape_key` or `folded_key`.
    """

    __tablename__ = "room"

    id: str = Field(primary_key=True)
    name_key: bytes | None = Field(unique=True)
    shape_key: bytes | None = Field(default=None, index=True, unique=True)
    folded_key: bytes | None = Field(default=None, index=True, unique=True)
    skeleton_version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    slug_key: bytes = Field(unique=True)
    sealed: bytes
    listed: bool
    owner: str
    message_ttl: int
    room_ttl: int
    last_seq: int = Field(sa_type=Count)
    created_at: datetime
    active_at: datetime
    expires_at: datetime = Field(index=True)
    was_entered: bool = False
