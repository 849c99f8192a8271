"""Files that are put in the place of others, so that nothing is left of what was there before."""

import os
from pathlib import Path
from tempfile import TemporaryFile

_PROBE_BYTES = 65_536  # a post takes less, in the database and in its journal together


def require_writable(folder: Path) -> None:
    """Write a little into a folder and take it back; raise `OSError` if it cannot be written."""
    with TemporaryFile(dir=folder) as file:  # it has no name that a crash could leave
        file.write(bytes(_PROBE_BYTES))
        file.flush()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file for its owner alone; it is on disk once this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def put_in_place(path: Path) -> None:
    """Let the file that was written beside `path` take its place, and overwrite the one it had.

    The change itself is one step that a crash cannot halve; what it leaves, `tidy` removes.
    """
    old = _old(path)
    old.unlink(missing_ok=True)
    os.link(path, old)  # so that it can be found and overwritten after a crash too
    os.replace(new_beside(path), path)
    sync_folder(path.parent)
    shred(old)


def tidy(path: Path) -> None:
    """Remove what a replacement has left that a crash has interrupted, before its step or after."""
    old = _old(path)
    if old.exists() and path.exists() and old.samefile(path):
        old.unlink()  # only another name of what is in use
    shred(old)
    shred(new_beside(path))


def shred(path: Path) -> None:
    """Overwrite a file and remove it; nothing happens if there is none."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)


def new_beside(path: Path) -> Path:
    """Return where the file is written that is to take the place of `path`."""
    return path.with_name(f"{path.name}.new")


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _old(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")
