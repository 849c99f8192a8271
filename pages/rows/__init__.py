"""How things look as rows: Python → HTML, pure functions.

Every text goes through htpy, which escapes it; nothing here may build HTML out of strings.
"""

from .ledger_row import LEDGER_LINES, ledger_rows
from .member_row import member_row
from .message_row import message_row, pending_row
from .room_row import card_row, facts_row, hall_row, present_row, rail_row
from .row import Row

__all__ = [
    "LEDGER_LINES",
    "Row",
    "card_row",
    "facts_row",
    "hall_row",
    "ledger_rows",
    "member_row",
    "message_row",
    "pending_row",
    "present_row",
    "rail_row",
]
