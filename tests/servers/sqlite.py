"""Databases of SQLite that have their tables already, which take long to be made."""

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from anonchat import Settings
from anonchat.database import Database


def lay_out_tables(settings: Settings) -> None:
    """Let a folder that is to have a database of its own, and has none yet, have an empty one."""
    path = settings.data_dir / "anonchat.db"
    if not settings.database_url and not path.exists():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(_make_empty(), path)


@cache
def _make_empty() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="anonchat-sqlite-"))
    atexit.register(shutil.rmtree, folder)
    path = folder / "anonchat.db"
    with ThreadPoolExecutor() as aside:  # a loop may run here
        aside.submit(asyncio.run, _migrate(path)).result()
    return path


async def _migrate(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await database.open()
    await database.close()
