"""Rooms have skeletons too, and skeletons have a version, so that stored ones can be replaced.

No table is made anew: that would delete what belongs to its rows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KEYS = ("shape_key", "folded_key")


def upgrade() -> None:
    for table in ("visitor", "room"):
        version = sa.Column("skeleton_version", sa.Integer(), server_default="0", nullable=False)
        op.add_column(table, version)
    for key in _KEYS:
        op.add_column("room", sa.Column(key, sa.LargeBinary(), nullable=True))
        op.create_index(op.f(f"ix_room_{key}"), "room", [key], unique=True)


def downgrade() -> None:
    for key in _KEYS:
        op.drop_index(op.f(f"ix_room_{key}"), "room")
        op.drop_column("room", key)
    for table in ("room", "visitor"):
        op.drop_column(table, "skeleton_version")
