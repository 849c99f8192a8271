"""Visitors and the tokens by which they are recognised."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from . import naming  # noqa: F401  # names constraints before the first table


class VisitorRow(SQLModel, table=True):
    """A visitor; two nicknames that look alike share one of the keys.

    Whoever has never posted lives shorter.
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
    """The hash of a secret that one browser of a visitor holds."""

    __tablename__ = "token"

    hash: bytes = Field(primary_key=True)
    visitor_id: str = Field(foreign_key="visitor.id", ondelete="CASCADE", index=True)
    created_at: datetime
