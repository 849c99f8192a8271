"""Statements of SQLAlchemy Core, compiled once for SQLite.

SQLAlchemy takes longer to prepare a short statement and its result than SQLite to execute it.
"""

import re
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, UpdateBase
from sqlalchemy.sql.type_api import TypeEngine

from .statements import Parameters, Row, Statement

_LIST = re.compile(r"__\[POSTCOMPILE_(\w+)\]")
_STATEMENTS_MAX = 100

_Convert = Callable[[Any], Any]


class SQLiteStatement:
    """The text of a statement, and how to convert its parameters and rows."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        binds = [(name, compiled.binds[name].type) for name in compiled.positiontup or ()]
        self._parts = _LIST.split(compiled.string)  # every other one is the name of a list
        self._constants = compiled.params
        self._parameters = [(name, _converter(kind, dialect, "bind")) for name, kind in binds]
        self._lists = frozenset(self._parts[1::2])
        columns = [] if isinstance(statement, UpdateBase) else statement.exported_columns.items()
        converters = [_converter(column.type, dialect, "result") for _, column in columns]
        self._conversions = [(index, each) for index, each in enumerate(converters) if each]
        self._make_row: Callable[..., Row] = namedtuple("_Row", [name for name, _ in columns])  # type: ignore[misc]

    def read(self, connection: sqlite3.Connection, parameters: Parameters) -> Sequence[Row]:
        """Execute it; return its rows."""
        parts = self._parts.copy()
        parts[1::2] = [",".join("?" * len(parameters[name])) for name in parts[1::2]]
        found = connection.execute("".join(parts), self._list_values(parameters))
        return [self._convert(row) for row in found]

    def write(self, connection: sqlite3.Connection, rows: Sequence[Parameters]) -> None:
        """Execute it with the parameters of each row."""
        connection.executemany(self._parts[0], map(self._list_values, rows))

    def _list_values(self, parameters: Parameters) -> list[Any]:
        values: list[Any] = []
        for name, convert in self._parameters:
            value = parameters[name] if name in parameters else self._constants[name]
            if name in self._lists:
                values += value
            else:
                values.append(convert(value) if convert else value)
        return values

    def _convert(self, row: tuple[Any, ...]) -> Row:
        values = [*row]
        for index, convert in self._conversions:
            values[index] = convert(values[index])
        return self._make_row(*values)


@lru_cache(_STATEMENTS_MAX)
def compile_statement(statement: Statement, dialect: Dialect) -> SQLiteStatement:
    """Return the compiled statement."""
    return SQLiteStatement(statement, dialect)


def _converter(kind: TypeEngine[Any], dialect: Dialect, of: str) -> _Convert | None:
    """Return how to convert a parameter (`bind`) or a column (`result`), if that is necessary."""
    implementation = kind.dialect_impl(dialect)
    if of == "bind":
        return implementation.bind_processor(dialect)
    return implementation.result_processor(dialect, None)
