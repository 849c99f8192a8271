"""Rules of rooms; those that exist by now have none."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("rules", sa.LargeBinary(), server_default="", nullable=False)
    op.add_column("room", column)
    if op.get_context().dialect.name == "sqlite":  # whose default is a text, not bytes
        op.execute("UPDATE room SET rules = x''")


def downgrade() -> None:
    op.drop_column("room", "rules")
