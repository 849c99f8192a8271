"""Standings of members, and bans."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("visitor_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("kept_until", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_standing_room_id_room"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_standing_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("room_id", "visitor_id", name=op.f("pk_standing")),
    )
    op.create_index(op.f("ix_standing_visitor_id"), "standing", ["visitor_id"])
    op.create_index(op.f("ix_standing_kept_until"), "standing", ["kept_until"])
    op.create_table(
        "ban",
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("visitor_id", sa.String(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("shape_key", sa.LargeBinary(), nullable=False),
        sa.Column("folded_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_ban_room_id_room"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_ban_visitor_id_visitor"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("room_id", "author", name=op.f("pk_ban")),
    )
    op.create_index(op.f("ix_ban_visitor_id"), "ban", ["visitor_id"])


def downgrade() -> None:
    op.drop_table("ban")
    op.drop_table("standing")
