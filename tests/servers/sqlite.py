"""Copies of an empty SQLite database with its tables, because creating them is slow."""

import asyncio
import atexit
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from anonchat import Settings
from anonchat.storage.database import Database


def lay_out_tables(settings: Settings) -> None:
    """Copy an empty database into the data folder if it needs one and has none."""
    path = settings.data_dir / "anonchat.db"
    if not settings.database_url and not path.exists():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(_create_template(), path)


@cache
def _create_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="anonchat-sqlite-"))
    atexit.register(shutil.rmtree, folder)
    path = folder / "anonchat.db"
    with ThreadPoolExecutor() as executor:  # the caller may have a running event loop
        executor.submit(asyncio.run, _migrate(path)).result()
    return path


async def _migrate(path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{path}")
    await database.open()
    await database.close()
