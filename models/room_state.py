"""States of plugins in rooms."""

from sqlmodel import Field, SQLModel


class RoomStateRow(SQLModel, table=True):
    """What a plugin keeps for a room; `sealed` is JSON, encrypted."""

    __tablename__ = "room_state"

    room_id: str = Field(primary_key=True, foreign_key="room.id", ondelete="CASCADE")
    plugin: str = Field(primary_key=True)
    sealed: bytes
