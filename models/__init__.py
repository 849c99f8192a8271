"""The database tables: rows, keys and indexes.

Human text is stored as ciphertext only, in `sealed` columns; keyed hashes are used to find rows by
text. See docs/architecture.md, "At rest".
"""

from sqlmodel import SQLModel

from models import naming  # noqa: F401  # names constraints before the first table
from models.ban import BanRow
from models.closed_name import ClosedNameRow
from models.invite import InviteRow
from models.job_run import JobRunRow
from models.knock import KnockRow
from models.member import MemberRow
from models.mention import MentionRow
from models.message import MessageRow
from models.opening import OpeningRow
from models.purge_stats import PurgeStatsRow
from models.reaction import ReactionRow
from models.room import RoomRow
from models.room_state import RoomStateRow
from models.span import SpanRow
from models.standing import StandingRow
from models.tombstone import TombstoneRow
from models.visitor import TokenRow, VisitorRow

__all__ = [
    "BanRow",
    "ClosedNameRow",
    "InviteRow",
    "JobRunRow",
    "KnockRow",
    "MemberRow",
    "MentionRow",
    "MessageRow",
    "OpeningRow",
    "PurgeStatsRow",
    "ReactionRow",
    "RoomRow",
    "RoomStateRow",
    "SQLModel",
    "SpanRow",
    "StandingRow",
    "TokenRow",
    "TombstoneRow",
    "VisitorRow",
]
