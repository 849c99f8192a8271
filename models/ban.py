"""Bans."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class BanRow(SQLModel, table=True):
    """Somebody who may not join a room; `sealed` is the nickname, encrypted.

    Whoever has a nickname that looks the same would have an equal `shape_key` or `folded_key`; both
    are hashes with a key of the room. `visitor_id` is empty once the visitor is forgotten.
    """

    __tablename__ = "ban"

    room_id: str = Field(primary_key=True, foreign_key="room.id", ondelete="CASCADE")
    author: str = Field(primary_key=True)
    visitor_id: str | None = Field(foreign_key="visitor.id", ondelete="SET NULL", index=True)
    sealed: bytes
    shape_key: bytes
    folded_key: bytes
    created_at: datetime
