"""Tombstones of deleted messages, which stop a late retry from posting them again."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class TombstoneRow(SQLModel, table=True):
    """The `dedup_key` of a deleted message, kept until the message would have expired."""

    __tablename__ = "tombstone"

    dedup_key: bytes = Field(primary_key=True)
    room_id: str = Field(foreign_key="room.id", ondelete="CASCADE", index=True)
    visitor_id: str = Field(foreign_key="visitor.id", ondelete="CASCADE", index=True)
    expires_at: datetime = Field(index=True)
