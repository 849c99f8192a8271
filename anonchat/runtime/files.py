"""Durable file writes and replacements that overwrite the old content."""

import os
from pathlib import Path
from tempfile import TemporaryFile

_PROBE_BYTES = 65_536  # a post writes less, database and journal together


def require_writable(folder: Path) -> None:
    """Write 64 KiB to a temporary file in a folder; raise `OSError` if that fails."""
    with TemporaryFile(dir=folder) as file:  # unnamed: a crash leaves nothing behind
        file.write(bytes(_PROBE_BYTES))
        file.flush()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file with mode 0600; it is on disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def replace_and_shred(path: Path) -> None:
    """Replace `path` with the file at `replacement_path(path)`, and shred the old file.

    The replacement is atomic; `clean_up_replacement` removes the files that a crash leaves behind.
    """
    old = _old_beside(path)
    old.unlink(missing_ok=True)
    os.link(path, old)  # so that `clean_up_replacement` can shred it after a crash
    os.replace(replacement_path(path), path)
    sync_folder(path.parent)
    shred(old)


def clean_up_replacement(path: Path) -> None:
    """Remove the files left by a `replace_and_shred` that a crash interrupted at any step."""
    old = _old_beside(path)
    if old.exists() and path.exists() and old.samefile(path):
        old.unlink()  # only a second link to the file in use
    shred(old)
    shred(replacement_path(path))


def shred(path: Path) -> None:
    """Overwrite a file with zeros and remove it, if it exists."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync_folder(path.parent)


def replacement_path(path: Path) -> Path:
    """Return the path of the new file that `replace_and_shred` moves to `path`."""
    return path.with_name(f"{path.name}.new")


def sync_folder(folder: Path) -> None:
    """Flush the directory entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _old_beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.old")
