"""What is left of a message that somebody has deleted, so that a late retry does not repeat it."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from . import naming  # noqa: F401  # names constraints before the first table


class TombstoneRow(SQLModel, table=True):
    """The place that a deleted message would take again, until it would have expired anyway."""

    __tablename__ = "tombstone"

    dedup_key: bytes = Field(primary_key=True)
    room_id: str = Field(foreign_key="room.id", ondelete="CASCADE", index=True)
    visitor_id: str = Field(foreign_key="visitor.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(index=True)
