"""What makes a database refuse, as a full disk does."""

from anonchat import Chat
from tests.fakes import execute


async def refuse(chat: Chat, verb: str, table: str) -> None:
    """Let rows of this table no more be inserted, updated or deleted."""
    if _is_on_a_server(chat):
        await execute(
            chat,
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RAISE EXCEPTION ''disk full''; END'",
        )
        what = "FOR EACH ROW EXECUTE FUNCTION refuse()"
    else:
        what = "BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    await execute(chat, f"CREATE TRIGGER obstacle BEFORE {verb} ON {table} {what}")


async def allow(chat: Chat, table: str) -> None:
    """Take the obstacle away."""
    where = f" ON {table}" if _is_on_a_server(chat) else ""
    await execute(chat, f"DROP TRIGGER obstacle{where}")


def _is_on_a_server(chat: Chat) -> bool:
    return chat._database._engine.dialect.name == "postgresql"
