"""Who can open messages that each reader can open once."""

from sqlmodel import Field, SQLModel


class OpeningRow(SQLModel, table=True):
    """A reader of a message, and whether they have opened it; `author` is their pseudonym."""

    __tablename__ = "opening"

    message_id: str = Field(primary_key=True, foreign_key="message.id", ondelete="CASCADE")
    visitor_id: str = Field(
        primary_key=True, foreign_key="visitor.id", ondelete="CASCADE", index=True
    )
    author: str
    opened: bool = False
