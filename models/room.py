"""Rooms."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.counting import Count


class RoomRow(SQLModel, table=True):
    """A room. Only listed rooms can be found by name; lifetimes are in seconds.

    `was_entered` is whether a second visitor ever joined; until then the room expires sooner.
    `revision` counts the changes by the owner; `texts_key_id` names the key of the texts since the
    last one.
    `rules` is sealed as the texts are, or empty in a room without rules.
    Listed rooms whose names look alike would have the same `shape_key` or `folded_key`.
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
    revision: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    texts_key_id: str = Field(default="", sa_column_kwargs={"server_default": ""})
    rules: bytes = Field(default=b"", sa_column_kwargs={"server_default": ""})
