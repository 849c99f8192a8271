"""Purge statistics: counts only."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.counting import Count


class PurgeStatsRow(SQLModel, table=True):
    """The single row of counters; `store` is a hash that identifies the key store in use."""

    __tablename__ = "purge_stats"

    id: int = Field(primary_key=True)
    store: bytes
    purged_at: datetime | None
    messages: int = Field(sa_type=Count)
    rooms: int = Field(sa_type=Count)
    visitors: int = Field(sa_type=Count)
