"""Invitations to rooms."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invite",
        sa.Column("code_key", sa.LargeBinary(), nullable=False),
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_invite_room_id_room"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_key", name=op.f("pk_invite")),
    )
    op.create_index(op.f("ix_invite_room_id"), "invite", ["room_id"])
    op.create_index(op.f("ix_invite_expires_at"), "invite", ["expires_at"])


def downgrade() -> None:
    op.drop_table("invite")
