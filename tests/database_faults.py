"""Makes statements of a database fail as on a full disk."""

from anonchat import Chat
from tests.fakes import execute


async def refuse(chat: Chat, verb: str, table: str) -> None:
    """Make every INSERT, UPDATE or DELETE (`verb`) of this table fail."""
    if _is_postgres(chat):
        await execute(
            chat,
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RAISE EXCEPTION ''disk full''; END'",
        )
        action = "FOR EACH ROW EXECUTE FUNCTION refuse()"
    else:
        action = "BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    await execute(chat, f"CREATE TRIGGER obstacle BEFORE {verb} ON {table} {action}")


async def allow(chat: Chat, table: str) -> None:
    """Remove the failure of this table."""
    table_clause = f" ON {table}" if _is_postgres(chat) else ""
    await execute(chat, f"DROP TRIGGER obstacle{table_clause}")


def _is_postgres(chat: Chat) -> bool:
    return chat._database._engine.dialect.name == "postgresql"
