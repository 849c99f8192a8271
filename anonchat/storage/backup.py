"""Backups of an SQLite database: ciphertext, without the keys."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ..errors import StartupError
from ..runtime.files import replacement_path, sync_folder

_COUNTED = ("room", "visitor", "message")


def back_up(database: Path, target: Path) -> dict[str, int]:
    """Copy a database into a new file, also while anonchat runs; return the row count per table.

    The copy holds the rows of one moment and no free pages. Keys are not copied: a key that is
    destroyed later would remain in the backup, and with it what was forgotten. Raises
    `StartupError` if the target exists or cannot be written, or if there is no database.
    """
    if target.exists():
        raise StartupError(f"{target} exists already; name a new file")
    new = replacement_path(target)
    try:
        new.unlink(missing_ok=True)  # left by a backup that was interrupted
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        counts = _copy(database, new)
        os.link(new, target)  # fails if the target was created meanwhile
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise StartupError(f"{target}: the backup failed: {reason}") from error
    finally:
        new.unlink(missing_ok=True)
    return counts


def _copy(database: Path, new: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as source:
        source.execute("VACUUM INTO ?", (str(new),))
    with new.open("rb") as file:
        os.fsync(file.fileno())
    with closing(sqlite3.connect(f"{new.absolute().as_uri()}?immutable=1", uri=True)) as copy:
        return {
            table: copy.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _COUNTED
        }
