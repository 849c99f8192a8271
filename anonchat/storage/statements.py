"""What a transaction executes together: several statements in one journey to the database."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import CompoundSelect, Select, UpdateBase

Statement = Select[Any] | CompoundSelect[Any] | UpdateBase
Parameters = Mapping[str, Any]
Row = Any


class Statements(Protocol):
    """Executes statements in a transaction, for a function that may run in another thread."""

    def read(self, query: Statement, parameters: Parameters) -> Sequence[Row]:
        """Return the rows of a query; the columns are attributes."""

    def write(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """Execute a statement with the parameters of each row."""

    def lock_spans_shared(self, numbers: Sequence[int]) -> None:
        """Lock spans in shared mode until the transaction ends, so that their keys stay current."""
