"""Names of rooms that the operator has closed for a time."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closed_name",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_closed_name")),
    )
    op.create_index(op.f("ix_closed_name_expires_at"), "closed_name", ["expires_at"])


def downgrade() -> None:
    op.drop_table("closed_name")
