"""Spans whose keys were renewed."""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from . import naming  # noqa: F401  # names constraints before the first table


class SpanRow(SQLModel, table=True):
    """Which generation of keys seals in a span now, and which it was sealed with whole."""

    __tablename__ = "span"

    number: int = Field(primary_key=True, sa_type=BigInteger)
    generation: int
    settled: int
