"""The secret key, which encrypts the key store: creation, lookup and rotation.

It is the setting ANONCHAT_SECRET_KEY or, without it, the file `secret.key` in the data folder.
"""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StartupError
from ..runtime.files import (
    clean_up_replacement,
    replace_and_shred,
    replacement_path,
    require_writable,
    write_durably,
)
from ..settings import Settings
from .key_file import KeyFile, read_hash_key


def get_or_create_secret_key(settings: Settings) -> str:
    """Return the secret key from the settings or the data folder; create it at the first start.

    Raises `StartupError` if it is missing although there is a key store encrypted with it.
    """
    return settings.secret_key or _get_or_create_in_folder(settings.data_dir)


def keys_path(settings: Settings) -> Path:
    """Return the path of the key store; create its folder if it is missing."""
    return _make_folder(settings.data_dir) / "keys"


def has_keys(settings: Settings) -> bool:
    """Return whether the data folder has a key store, so that anonchat ran there before."""
    return (settings.data_dir / "keys").exists()


def require_writable_data_dir(folder: Path) -> None:
    """Raise `StartupError` unless the data folder is writable or can be created; leave no files."""
    absolute = folder.absolute()
    try:
        require_writable(next(each for each in (absolute, *absolute.parents) if each.exists()))
    except OSError as error:
        raise _folder_error(folder, error) from error


def require_keys(settings: Settings) -> None:
    """Raise `StartupError` if the data folder has no key store: its path may be mistyped."""
    if not has_keys(settings):
        raise StartupError(f"ANONCHAT_DATA_DIR: no anonchat data in {settings.data_dir}")


def find_secret_key(settings: Settings) -> str:
    """Return the secret key, or an empty string if there is none; create nothing."""
    path = settings.data_dir / "secret.key"
    try:
        return settings.secret_key or (_read_secret_key(path) if path.exists() else "")
    except OSError as error:
        raise _folder_error(path, error) from error


def rotate_secret_key(settings: Settings, *, given: str = "") -> int:
    """Re-encrypt all keys with a new secret key; return the number of keys.

    The new key is `given` if the operator has set the old one; otherwise it is generated and
    replaces the file. After a crash the store is readable with either the old or the new key.
    Raises `StartupError`, also while anonchat is running.
    """
    file = KeyFile(keys_path(settings), get_or_create_secret_key(settings))
    try:
        keys = file.open()
        if given:
            file.rewrap(keys, given)
        else:
            with _lock_file(settings.data_dir / "secret.key") as path:
                new = secrets.token_urlsafe(32)
                write_durably(replacement_path(path), new.encode())
                file.rewrap(keys, new)
                replace_and_shred(path)
        return len(keys)
    except OSError as error:
        raise _folder_error(settings.data_dir, error) from error
    finally:
        file.close()


def _get_or_create_in_folder(folder: Path) -> str:
    """Return the secret key of the data folder; create it if needed, readable by its owner only.

    A file lock lets only one of several processes that start at the same time create it.
    """
    path = _make_folder(folder) / "secret.key"
    try:
        with _lock_file(path):
            _finish_rotation(path)
            secret = _read_secret_key(path)
            if not secret:  # the first start, or a crash before the key was on disk
                _require_no_keys(folder, path)
                secret = secrets.token_urlsafe(32)
                _write_secret_key(path, secret)
    except OSError as error:
        raise _folder_error(folder, error) from error
    return secret


@contextmanager
def _lock_file(path: Path) -> Iterator[Path]:
    """Lock the secret key file against other processes; create it, empty, if it is missing."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def _finish_rotation(path: Path) -> None:
    """Keep the secret key that the key store is encrypted with, if a crash left two."""
    new = replacement_path(path)
    if new.exists():
        secret = new.read_text(encoding="utf-8", errors="replace")  # a torn file is no key
        keys = path.with_name("keys")
        if keys.exists() and read_hash_key(keys, secret):
            replace_and_shred(path)
    clean_up_replacement(path)


def _require_no_keys(folder: Path, path: Path) -> None:
    keys = folder / "keys"
    if keys.exists() and keys.stat().st_size:
        path.unlink()  # `_lock_file` created it empty
        raise StartupError(
            f"ANONCHAT_SECRET_KEY: {path} is missing, and {keys} cannot be decrypted without it; "
            f"restore it, or remove {folder} to start with an empty site"
        )


def _read_secret_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise StartupError(
            f"ANONCHAT_SECRET_KEY: {path} is damaged; restore it from a backup"
        ) from None


def _write_secret_key(path: Path, secret: str) -> None:
    try:
        write_durably(path, secret.encode())
    except OSError:
        os.truncate(path, 0)  # a partial key would be taken for a complete one
        raise


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError as error:
        not_a_folder = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        raise _folder_error(folder, not_a_folder) from error
    except OSError as error:
        raise _folder_error(folder, error) from error
    return folder


def _folder_error(path: Path, error: OSError) -> StartupError:
    needs = "needs a folder that can be created and written to"
    return StartupError(f"ANONCHAT_DATA_DIR: {needs}, got {path}: {error.strerror}")
