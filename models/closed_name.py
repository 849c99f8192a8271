"""Names that the operator has closed for a time."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class ClosedNameRow(SQLModel, table=True):
    """The keyed hash of a name, skeleton or slug that no new room may have until it expires."""

    __tablename__ = "closed_name"

    hash: bytes = Field(primary_key=True)
    expires_at: datetime = Field(index=True)
