"""A message is found again by its dedup_key alone, which now stands for room and visitor too."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OLD = "uq_message_room_id_visitor_id_dedup_key"
_NEW = "uq_message_dedup_key"


def upgrade() -> None:
    # The old keys stood for the dedup_id alone, which two visitors may share: none is kept.
    if op.get_context().dialect.name == "sqlite":  # on a server nobody had said anything yet
        op.execute("UPDATE message SET dedup_key = randomblob(32)")
    with op.batch_alter_table("message") as message:
        message.drop_constraint(_OLD, type_="unique")
        message.create_unique_constraint(_NEW, ["dedup_key"])


def downgrade() -> None:
    with op.batch_alter_table("message") as message:
        message.drop_constraint(_NEW, type_="unique")
        message.create_unique_constraint(_OLD, ["room_id", "visitor_id", "dedup_key"])
