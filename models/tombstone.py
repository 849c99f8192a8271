"""What is left of a message that somebody has deleted, so that a late retry does not repeat it."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from . import naming  # noqa: F401  # names constraints before the first table


class TombstoneRow(SQLModel, table=True):
    """The place that a deleted message would take again, until it would have expired anyway."""

    __tablename__ = "tombstone"

    room_id: str = Field(primary_key=True, foreign_key="room.id", ondelete="CASCADE")
    visitor_id: str = Field(
        primary_key=True, foreign_key="visitor.id", ondelete="CASCADE", index=True
    )
    dedup_key: bytes = Field(primary_key=True)
    expires_at: datetime = Field(index=True)
