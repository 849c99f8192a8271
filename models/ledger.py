"""What was forgotten: counts only."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from . import naming  # noqa: F401  # names constraints before the first table
from .counting import Count


class LedgerRow(SQLModel, table=True):
    """The one row of the ledger; `store` tells which key store this database belongs to."""

    __tablename__ = "ledger"

    id: int = Field(primary_key=True)
    store: bytes
    purged_at: datetime | None
    messages: int = Field(sa_type=Count)
    rooms: int = Field(sa_type=Count)
    visitors: int = Field(sa_type=Count)
