"""A PostgreSQL server for tests, with a pool of databases that are emptied and reused."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import asyncpg

from tools.servers.postgres import Postgres

# Without fsync, a crash of the machine loses data, which the tests do not need; a crash of the
# server loses nothing that was committed.
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}

_DELETE_ALL_ROWS = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'purge_stats')
    LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
    IF to_regclass('purge_stats') IS NOT NULL THEN
        UPDATE purge_stats SET store = '', purged_at = NULL, messages = 0, rooms = 0, visitors = 0;
    END IF;
END $$
"""


class PostgresPool(Postgres):
    """A server with a pool of databases, which tests reach over its Unix socket."""

    def __init__(self) -> None:
        super().__init__(_OPTIONS)
        self._counter = count()
        self._free: list[str] = []
        self._reserved: list[str] = []
        self._executor = ThreadPoolExecutor(1)  # the caller may have a running event loop

    def remove(self) -> None:
        """Remove its folder, and the thread that the pool uses."""
        self._executor.shutdown()
        super().remove()

    def take(self, *, fresh: bool = False) -> str:
        """Return the URL of an empty database, reserved for the caller until `release_all`.

        A `fresh` one has no tables.
        """
        name = (
            self._free.pop()
            if self._free and not fresh
            else self._run(self._create_test_database())
        )
        self._reserved.append(name)
        return self.socket_url(name)

    def release(self, url: str) -> None:
        """Empty a reserved database, and return it to the pool."""
        (name,) = [name for name in self._reserved if self.socket_url(name) == url]
        self._reserved.remove(name)
        self._run(self._delete_rows(name))
        self._free.append(name)

    def release_all(self) -> None:
        """Empty all reserved databases, and return them to the pool."""
        for name in list(self._reserved):
            self.release(self.socket_url(name))

    def execute(self, url: str, *statements: str) -> None:
        """Execute statements in a database, without a transaction."""
        self._run(_execute(url, *statements))

    def fetch(self, url: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._run(_fetch(url, query))

    async def _create_test_database(self) -> str:
        name = f"chat{next(self._counter)}"
        await _execute(self.socket_url("postgres"), f"CREATE DATABASE {name}")
        return name

    async def _delete_rows(self, name: str) -> None:
        """Delete all rows but keep the tables, because creating them is slow."""
        await _execute(
            self.socket_url(name),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            "DROP FUNCTION IF EXISTS refuse CASCADE",
            "SET session_replication_role = replica",  # ignores foreign keys
            _DELETE_ALL_ROWS,
        )

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._executor.submit(asyncio.run, coroutine).result()


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch(url: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
