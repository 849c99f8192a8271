"""Mentions of members."""

from sqlalchemy import ForeignKeyConstraint
from sqlmodel import Field, SQLModel

from models.counting import Count


class MentionRow(SQLModel, table=True):
    """A message that mentions a member; `mark` is a keyed hash of the room and their pseudonym."""

    __tablename__ = "mention"
    __table_args__ = (
        ForeignKeyConstraint(
            ["room_id", "seq"], ["message.room_id", "message.seq"], ondelete="CASCADE"
        ),
    )

    room_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=Count)
    mark: bytes = Field(primary_key=True, index=True)
