"""Rooms can be changed; the texts of those that exist by now have no key of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("texts_key_id", sa.String(), server_default="", nullable=False),
    ):
        op.add_column("room", column)


def downgrade() -> None:
    for name in ("texts_key_id", "revision"):
        op.drop_column("room", name)
