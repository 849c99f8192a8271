"""A PostgreSQL server for tests, with a pool of databases that are emptied and reused."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

_TIMEOUT = 240
_WAIT_OPTIONS = ("-w", "-t", str(_TIMEOUT))
# Without fsync, a crash of the machine loses data, which the tests do not need; a crash of the
# server loses nothing that was committed.
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "autovacuum": "off",
}


class Postgres:
    """A server that listens on a Unix socket in its own temporary folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self._counter = count()
        self._free: list[str] = []
        self._reserved: list[str] = []
        self._executor = ThreadPoolExecutor(1)  # the caller may have a running event loop

    def start(self) -> None:
        """Initialize and start the server; it listens on its Unix socket only."""
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres", "-N", "--no-locale", "-E", "UTF8")
        self.go_on()

    def go_on(self) -> None:
        """Start the server again after a stop."""
        options = {**_OPTIONS, "listen_addresses": "", "unix_socket_directories": self.folder}
        arguments = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self._run("pg_ctl", *_WAIT_OPTIONS, "-l", f"{self.folder}/log", "-o", arguments, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; the mode `immediate` is like a crash."""
        self._run("pg_ctl", *_WAIT_OPTIONS, "-m", mode, "stop")

    def restart(self, mode: str = "fast") -> None:
        """Stop the server and start it again."""
        self._run("pg_ctl", *_WAIT_OPTIONS, "-l", f"{self.folder}/log", "-m", mode, "restart")

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        self._executor.shutdown()
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder)

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql:///{name}?host={self.folder}&user=postgres"

    def take(self, *, fresh: bool = False) -> str:
        """Return the URL of an empty database, reserved for the caller until `release_all`.

        A `fresh` one has no tables.
        """
        name = (
            self._free.pop()
            if self._free and not fresh
            else self._run_async(self._create_database())
        )
        self._reserved.append(name)
        return self.url(name)

    def release(self, url: str) -> None:
        """Empty a reserved database, and return it to the pool."""
        (name,) = [name for name in self._reserved if self.url(name) == url]
        self._reserved.remove(name)
        self._run_async(self._delete_rows(name))
        self._free.append(name)

    def release_all(self) -> None:
        """Empty all reserved databases, and return them to the pool."""
        for name in list(self._reserved):
            self.release(self.url(name))

    def execute(self, url: str, *statements: str) -> None:
        """Execute statements in a database, without a transaction."""
        self._run_async(_execute(url, *statements))

    def fetch(self, url: str, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._run_async(_fetch(url, query))

    async def _create_database(self) -> str:
        name = f"chat{next(self._counter)}"
        await _execute(self.url("postgres"), f"CREATE DATABASE {name}")
        return name

    async def _delete_rows(self, name: str) -> None:
        """Delete all rows but keep the tables, because creating them is slow."""
        tables = await _fetch(
            self.url(name),
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'ledger')",
        )
        initial = "store = '', purged_at = NULL, messages = 0, rooms = 0, visitors = 0"
        await _execute(
            self.url(name),
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' "
            "AND pid <> pg_backend_pid()",
            "DROP FUNCTION IF EXISTS refuse CASCADE",
            "SET session_replication_role = replica",  # ignores foreign keys
            *(f"DELETE FROM {table}" for (table,) in tables),
            *([f"UPDATE ledger SET {initial}"] if tables else []),
        )

    def _run_async(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._executor.submit(asyncio.run, coroutine).result(_TIMEOUT)

    def _run(self, program: str, *arguments: str) -> None:
        command = [_find(program), *arguments, "-D", str(self.data)]
        if os.getuid() == 0:
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        with (self.folder / "output").open("ab") as output:  # the server would keep a pipe open
            subprocess.run(
                command, check=True, stdout=output, stderr=output, cwd="/", timeout=_TIMEOUT
            )


def _find(program: str) -> str:
    """Return the path of a program; Debian installs it in a folder per version, not in PATH."""
    paths = sorted(Path("/").glob(f"usr/lib/postgresql/*/bin/{program}"))
    return shutil.which(program) or str(paths[-1])


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
