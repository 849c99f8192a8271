"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "room",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("name_key", sa.LargeBinary(), nullable=True),
        sa.Column("slug_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("owner", AutoString(), nullable=False),
        sa.Column("message_ttl", sa.Integer(), nullable=False),
        sa.Column("room_ttl", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("active_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room")),
        sa.UniqueConstraint("name_key", name=op.f("uq_room_name_key")),
        sa.UniqueConstraint("slug_key", name=op.f("uq_room_slug_key")),
    )
    op.create_index(op.f("ix_room_expires_at"), "room", ["expires_at"])

    op.create_table(
        "visitor",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("nickname_key", sa.LargeBinary(), nullable=False),
        sa.Column("folded_key", sa.LargeBinary(), nullable=False),
        sa.Column("phrase_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visitor")),
        sa.UniqueConstraint("folded_key", name=op.f("uq_visitor_folded_key")),
        sa.UniqueConstraint("nickname_key", name=op.f("uq_visitor_nickname_key")),
    )
    op.create_index(op.f("ix_visitor_expires_at"), "visitor", ["expires_at"])

    op.create_table(
        "member",
        sa.Column("room_id", AutoString(), nullable=False),
        sa.Column("visitor_id", AutoString(), nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("read_seq", sa.Integer(), nullable=False),
        sa.Column("joined_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_member_room_id_room"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_member_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("room_id", "visitor_id", name=op.f("pk_member")),
    )
    op.create_index(op.f("ix_member_visitor_id"), "member", ["visitor_id"])

    op.create_table(
        "message",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("room_id", AutoString(), nullable=False),
        sa.Column("visitor_id", AutoString(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("dedup_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("posted_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["room.id"], name=op.f("fk_message_room_id_room"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_message_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("room_id", "seq", name=op.f("uq_message_room_id_seq")),
        sa.UniqueConstraint(
            "room_id",
            "visitor_id",
            "dedup_key",
            name=op.f("uq_message_room_id_visitor_id_dedup_key"),
        ),
    )
    op.create_index(op.f("ix_message_expires_at"), "message", ["expires_at"])
    op.create_index(
        op.f("ix_message_room_id_message_expires_at"), "message", ["room_id", "expires_at"]
    )
    op.create_index(op.f("ix_message_visitor_id"), "message", ["visitor_id"])

    op.create_table(
        "token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("visitor_id", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["visitor_id"],
            ["visitor.id"],
            name=op.f("fk_token_visitor_id_visitor"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_token")),
    )
    op.create_index(op.f("ix_token_visitor_id"), "token", ["visitor_id"])


def downgrade() -> None:
    op.drop_table("token")
    op.drop_table("message")
    op.drop_table("member")
    op.drop_table("visitor")
    op.drop_table("room")
