"""Key generations of spans whose keys were renewed."""

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class SpanRow(SQLModel, table=True):
    """A span: new rows have keys of `generation`, all rows those of `settled` or later."""

    __tablename__ = "span"

    number: int = Field(primary_key=True, sa_type=BigInteger)
    generation: int
    settled: int
