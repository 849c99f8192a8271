"""Memberships."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.counting import Count


class MemberRow(SQLModel, table=True):
    """A visitor in a room; `author` is the pseudonym in this room."""

    __tablename__ = "member"

    room_id: str = Field(primary_key=True, foreign_key="room.id", ondelete="CASCADE")
    visitor_id: str = Field(
        primary_key=True, foreign_key="visitor.id", ondelete="CASCADE", index=True
    )
    author: str
    read_seq: int = Field(sa_type=Count)
    joined_at: datetime
    has_posted: bool = False
