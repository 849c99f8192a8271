"""Messages."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.counting import Count


class MessageRow(SQLModel, table=True):
    """A message; `sealed` has its nickname, badge, text and dedup_id, encrypted together.

    If the message has a kind, then also kind and data, and then what else it has. `revision` counts
    its changes.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("room_id", "seq"),
        Index(None, "room_id", "expires_at"),
    )

    id: str = Field(primary_key=True)
    room_id: str = Field(foreign_key="room.id", ondelete="CASCADE")
    visitor_id: str = Field(foreign_key="visitor.id", ondelete="CASCADE", index=True)
    seq: int = Field(sa_type=Count)
    author: str
    dedup_key: bytes = Field(unique=True)
    sealed: bytes
    revision: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    posted_at: datetime
    expires_at: datetime = Field(index=True)
