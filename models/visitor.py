"""Visitors and their session tokens."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class VisitorRow(SQLModel, table=True):
    """A visitor; nicknames that look alike would have an equal `nickname_key` or `folded_key`.

    A visitor who has never posted expires sooner.
    """

    __tablename__ = "visitor"

    id: str = Field(primary_key=True)
    nickname_key: bytes = Field(unique=True)
    folded_key: bytes = Field(unique=True)
    skeleton_version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    phrase_key: bytes | None
    sealed: bytes
    seen_at: datetime
    expires_at: datetime = Field(index=True)
    has_posted: bool = False


class TokenRow(SQLModel, table=True):
    """The hash of a session token of a visitor."""

    __tablename__ = "token"

    hash: bytes = Field(primary_key=True)
    visitor_id: str = Field(foreign_key="visitor.id", ondelete="CASCADE", index=True)
    created_at: datetime
