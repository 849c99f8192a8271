"""Who can open messages that each reader can open once."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "opening",
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("visitor_id", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
            name=op.f("fk_opening_message_id_message"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_opening_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", "visitor_id", name=op.f("pk_opening")),
    )
    op.create_index(op.f("ix_opening_visitor_id"), "opening", ["visitor_id"])


def downgrade() -> None:
    # Earlier versions would show the texts of these messages to all members.
    op.execute("DELETE FROM message WHERE id IN (SELECT message_id FROM opening)")
    op.drop_table("opening")
