"""A PostgreSQL server."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg

from tools.servers.process import ManagedProcess
from tools.servers.programs import find_program

_CONNECT_SECONDS = 2.0


class Postgres(ManagedProcess):
    """A PostgreSQL server with one database. It cannot run as root, so its folder is separate.

    It listens on its port and on a Unix socket in its folder, and accepts further `options`.
    """

    end = signal.SIGINT
    parent_death_signal = signal.SIGQUIT

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__("postgres", Path(tempfile.mkdtemp(prefix="anonchat-postgres-")))
        self.data = self.folder / "data"
        self._options = options or {}
        self._programs = _find_programs()
        if os.getuid() == 0:
            self.user = _find_user("postgres", "nobody")
            shutil.chown(self.folder, self.user)

    @property
    def url(self) -> str:
        """The URL of the database, for the settings."""
        return f"postgresql://anonchat@127.0.0.1:{self.port}/anonchat"

    def socket_url(self, database: str) -> str:
        """Return the URL of a database on the Unix socket."""
        return f"postgresql:///{database}?host={self.folder}&port={self.port}&user=anonchat"

    def command(self) -> Sequence[str | Path]:
        """Return the command line; the log holds no values, as in production."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "max_connections": "200",
            "log_parameter_max_length_on_error": "0",
            "log_min_error_statement": "panic",
            **self._options,
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [self._programs / "postgres", "-D", self.data, *words]

    async def start(self) -> None:
        """Start it, and create its files and the database on the first start."""
        is_new = not self.data.exists()
        if is_new:
            await self._create_files()
        await super().start()
        if is_new:
            await self._create_database()

    async def is_ready(self) -> bool:
        """Return whether it accepts connections."""
        try:
            await (await self._connect()).close(timeout=_CONNECT_SECONDS)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def __aexit__(self, *_: object) -> None:
        """Stop it without a checkpoint, and remove its folder."""
        try:
            await self.stop(signal.SIGQUIT)
        finally:
            self.remove()

    async def _create_files(self) -> None:
        run = await asyncio.to_thread(self._run_initdb)
        if run.returncode:
            raise RuntimeError(f"initdb failed:\n{run.stdout}")

    def _run_initdb(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # not every event loop can start a process as another user
            [self._programs / "initdb", "-D", self.data, "-U", "anonchat", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=[] if self.user else None,
        )  # fmt: skip

    async def _create_database(self) -> None:
        connection = await self._connect()
        await connection.execute("CREATE DATABASE anonchat")
        await connection.close()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.socket_url("postgres"), timeout=_CONNECT_SECONDS)


def _find_programs() -> Path:
    """Return the folder of PostgreSQL's programs: the newest of Debian's, else from `PATH`."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(found, key=lambda path: int(path.parts[-3]), default=None):
        return newest.parent
    return Path(find_program("initdb")).resolve().parent


def _find_user(*names: str) -> str:
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in names if name in known)
