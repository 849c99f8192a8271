"""Invitations."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class InviteRow(SQLModel, table=True):
    """An invitation to a room; `sealed` is its code and how often it can be used, encrypted."""

    __tablename__ = "invite"

    code_key: bytes = Field(primary_key=True)
    room_id: str = Field(foreign_key="room.id", ondelete="CASCADE", index=True)
    sealed: bytes
    uses: int
    expires_at: datetime = Field(index=True)
