"""Standings of members."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class StandingRow(SQLModel, table=True):
    """What a visitor may do in a room, if that is not what everybody may; `sealed` is encrypted.

    That of a former member is kept until `kept_until`.
    """

    __tablename__ = "standing"

    room_id: str = Field(primary_key=True, foreign_key="room.id", ondelete="CASCADE")
    visitor_id: str = Field(
        primary_key=True, foreign_key="visitor.id", ondelete="CASCADE", index=True
    )
    sealed: bytes
    kept_until: datetime | None = Field(default=None, index=True)
