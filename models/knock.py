"""Those who ask to come into a room."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class KnockRow(SQLModel, table=True):
    """A visitor who waits before a room, by a pseudonym; `answer` is empty, `in` or `out`."""

    __tablename__ = "knock"

    room_id: str = Field(primary_key=True, foreign_key="room.id", ondelete="CASCADE")
    visitor_id: str = Field(
        primary_key=True, foreign_key="visitor.id", ondelete="CASCADE", index=True
    )
    author: str
    answer: str = ""
    expires_at: datetime = Field(index=True)
