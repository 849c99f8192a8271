"""What counts for years may go beyond two thousand millions; SQLite's integers always could."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTS = {
    "ledger": ("messages", "rooms", "visitors"),
    "member": ("read_seq",),
    "message": ("seq",),
    "room": ("last_seq",),
}


def upgrade() -> None:
    _alter(sa.BigInteger())


def downgrade() -> None:
    _alter(sa.Integer())


def _alter(kind: sa.types.TypeEngine[int]) -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    for table, columns in _COUNTS.items():
        for column in columns:
            op.alter_column(table, column, type_=kind)
