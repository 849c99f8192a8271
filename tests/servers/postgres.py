"""A PostgreSQL of our own, and databases of it: quick to be had, and used one after the other."""

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

_PATIENCE = 240
_WAIT = ("-w", "-t", str(_PATIENCE))
# A crash of the machine may cost us everything, for it lives no longer than the tests; one of the
# server costs nothing that was committed.
_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "autovacuum": "off",
}


class Postgres:
    """A server that listens on a socket in a folder of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-pg-", dir="/tmp"))
        self.data = self.folder / "data"
        self._numbers = count()
        self._free: list[str] = []
        self._taken: list[str] = []
        self._aside = ThreadPoolExecutor(1)  # whoever asks us may have a loop that runs

    def start(self) -> None:
        """Make it and start it; nobody but us can reach it."""
        if os.getuid() == 0:  # it refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres", "-N", "--no-locale", "-E", "UTF8")
        self.go_on()

    def go_on(self) -> None:
        """Start it again after it was stopped."""
        options = {**_OPTIONS, "listen_addresses": "", "unix_socket_directories": self.folder}
        words = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self._run("pg_ctl", *_WAIT, "-l", f"{self.folder}/log", "-o", words, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `immediate` is like a crash."""
        self._run("pg_ctl", *_WAIT, "-m", mode, "stop")

    def restart(self, mode: str = "fast") -> None:
        """Stop it and start it again."""
        self._run("pg_ctl", *_WAIT, "-l", f"{self.folder}/log", "-m", mode, "restart")

    def remove(self) -> None:
        """End it, and leave nothing behind."""
        self._aside.shutdown()
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self.folder)

    def url(self, name: str) -> str:
        """Return the address of a database."""
        return f"postgresql:///{name}?host={self.folder}&user=postgres"

    def take(self, *, fresh: bool = False) -> str:
        """Return the address of an empty database; it is ours until `give_all_back`.

        A `fresh` one has not even tables.
        """
        name = self._free.pop() if self._free and not fresh else self._do(self._make())
        self._taken.append(name)
        return self.url(name)

    def give_back(self, url: str) -> None:
        """Empty one that was taken, for those who come next."""
        (name,) = [name for name in self._taken if self.url(name) == url]
        self._taken.remove(name)
        self._do(self._empty(name))
        self._free.append(name)

    def give_all_back(self) -> None:
        """Empty all that was taken, for those who come next."""
        for name in list(self._taken):
            self.give_back(self.url(name))

    def execute(self, url: str, *statements: str) -> None:
        """Do something in a database, without a transaction."""
        self._do(_execute(url, *statements))

    def fetch(self, url: str, query: str) -> list[tuple[Any, ...]]:
        """Return rows of a database."""
        return self._do(_fetch(url, query))

    async def _make(self) -> str:
        name = f"chat{next(self._numbers)}"
        await _execute(self.url("postgres"), f"CREATE DATABASE {name}")
        return name

    async def _empty(self, name: str) -> None:
        """Take all rows away and leave the tables, which take long to be made."""
        tables = await _fetch(
            self.url(name),
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'ledger')",
        )
        nothing = "store = '', purged_at = NULL, messages = 0, rooms = 0, visitors = 0"
        await _execute(
            self.url(name),
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' "
            "AND pid <> pg_backend_pid()",
            "DROP FUNCTION IF EXISTS refuse CASCADE",
            "SET session_replication_role = replica",  # in whatever order
            *(f"DELETE FROM {table}" for (table,) in tables),
            *([f"UPDATE ledger SET {nothing}"] if tables else []),
        )

    def _do(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self._aside.submit(asyncio.run, act).result(_PATIENCE)

    def _run(self, program: str, *words: str) -> None:
        command = [_find(program), *words, "-D", str(self.data)]
        if os.getuid() == 0:
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        with (self.folder / "said").open("ab") as said:  # a pipe would be held by the server
            subprocess.run(
                command, check=True, stdout=said, stderr=said, cwd="/", timeout=_PATIENCE
            )


def _find(program: str) -> str:
    """Return where the program lies; Debian keeps it out of the way, in a folder per version."""
    places = sorted(Path("/").glob(f"usr/lib/postgresql/*/bin/{program}"))
    return shutil.which(program) or str(places[-1])


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
