"""The table `ledger` is named `purge_stats`, like all that reads and writes it."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rename("ledger", "purge_stats")


def downgrade() -> None:
    _rename("purge_stats", "ledger")


def _rename(before: str, after: str) -> None:
    op.rename_table(before, after)
    with op.batch_alter_table(after) as table:
        table.drop_constraint(op.f(f"pk_{before}"), type_="primary")
        table.create_primary_key(op.f(f"pk_{after}"), ["id"])
