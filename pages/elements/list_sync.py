"""What a live list and its page tell each other about the rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..rows.row import Row


@dataclass(frozen=True, slots=True)
class ClientState:
    """What a page shows: the keys of its rows, and whether there are older ones.

    `newest_key` is the last key that the page has received, if its rows end before that one.
    """

    keys: list[str]
    older: bool = False
    newest_key: str = ""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The response to a sync: rows to insert or replace, and shown keys that still exist.

    By the key of a row, `read` has read marks, `mentioned` the last `seq` that mentions the reader,
    and `next` when the next of its unread messages disappears, in milliseconds since 1970.
    """

    put: list[Row]
    keep: list[str]
    more: bool | None = None
    read: Mapping[str, int] = field(default_factory=dict)
    mentioned: Mapping[str, int] = field(default_factory=dict)
    next: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The requested page of rows: before or after a key, else the last one."""

    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows, and whether there are more beyond it."""

    rows: list[Row]
    more: bool
