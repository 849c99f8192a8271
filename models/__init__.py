"""The tables: rows, keys and indexes, and nothing else.

Human text stands in `sealed` columns only, as ciphertext; what has to be found by its text is found
by a keyed hash. See docs/architecture.md, "At rest".
"""

from sqlmodel import SQLModel

from .ledger import LedgerRow
from .member import MemberRow
from .message import MessageRow
from .room import RoomRow
from .span import SpanRow
from .tombstone import TombstoneRow
from .visitor import TokenRow, VisitorRow

__all__ = [
    "LedgerRow",
    "MemberRow",
    "MessageRow",
    "RoomRow",
    "SQLModel",
    "SpanRow",
    "TokenRow",
    "TombstoneRow",
    "VisitorRow",
]
