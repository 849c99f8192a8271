"""Whether visitors, members and rooms were ever used; all that exist by now count as used."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = {"visitor": "has_posted", "member": "has_posted", "room": "was_entered"}


def upgrade() -> None:
    # The default stays: a node of the version before may still add rows. No table is made anew,
    # for SQLite would delete the rows that belong to those of the old one.
    for table, name in _COLUMNS.items():
        column: sa.Column[bool] = sa.Column(
            name, sa.Boolean(), nullable=False, server_default=sa.true()
        )
        op.add_column(table, column)


def downgrade() -> None:
    for table, name in _COLUMNS.items():
        op.drop_column(table, name)
