"""Those who ask to come into a room."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "knock",
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("visitor_id", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_knock_room_id_room"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_knock_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("room_id", "visitor_id", name=op.f("pk_knock")),
    )
    op.create_index(op.f("ix_knock_visitor_id"), "knock", ["visitor_id"])
    op.create_index(op.f("ix_knock_expires_at"), "knock", ["expires_at"])


def downgrade() -> None:
    op.drop_table("knock")
