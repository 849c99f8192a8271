"""The ledger of what was forgotten, and tombstones of deleted messages."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("store", sa.LargeBinary(), nullable=False),
        sa.Column("purged_at", UTCDateTime(), nullable=True),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("rooms", sa.Integer(), nullable=False),
        sa.Column("visitors", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    nothing = {"id": 1, "store": b"", "messages": 0, "rooms": 0, "visitors": 0}
    op.bulk_insert(ledger, [nothing])

    op.create_table(
        "tombstone",
        sa.Column("dedup_key", sa.LargeBinary(), nullable=False),
        sa.Column("room_id", AutoString(), nullable=False),
        sa.Column("visitor_id", AutoString(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_tombstone_room_id_room"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_tombstone_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dedup_key", name=op.f("pk_tombstone")),
    )
    op.create_index(op.f("ix_tombstone_expires_at"), "tombstone", ["expires_at"])
    op.create_index(op.f("ix_tombstone_room_id"), "tombstone", ["room_id"])
    op.create_index(op.f("ix_tombstone_visitor_id"), "tombstone", ["visitor_id"])


def downgrade() -> None:
    op.drop_table("tombstone")
    op.drop_table("ledger")
