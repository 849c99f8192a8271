"""How often messages were changed."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    count = sa.Column("revision", sa.Integer(), server_default="0", nullable=False)
    op.add_column("message", count)


def downgrade() -> None:
    op.drop_column("message", "revision")
