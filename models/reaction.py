"""Reactions to messages."""

from sqlmodel import Field, SQLModel


class ReactionRow(SQLModel, table=True):
    """How a visitor has reacted to a message; `sealed` has the pseudonym and the emoji, encrypted.

    Each emoji is followed by the revision of the message at that time.
    """

    __tablename__ = "reaction"

    message_id: str = Field(primary_key=True, foreign_key="message.id", ondelete="CASCADE")
    visitor_id: str = Field(
        primary_key=True, foreign_key="visitor.id", ondelete="CASCADE", index=True
    )
    sealed: bytes
