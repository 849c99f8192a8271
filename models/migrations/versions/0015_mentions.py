"""Keyed marks of mentions."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mention",
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id", "seq"],
            ["message.room_id", "message.seq"],
            name=op.f("fk_mention_room_id_seq_message"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("room_id", "seq", "mark", name=op.f("pk_mention")),
    )
    op.create_index(op.f("ix_mention_mark"), "mention", ["mark"])


def downgrade() -> None:
    op.drop_table("mention")
