"""The secret key: what wraps all keys at rest. It is made once, and can be made anew."""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StartError
from .files import new_beside, put_in_place, require_writable, sync_folder, tidy, write_durably
from .keystore import KeyStore, opens
from .settings import Settings


def obtain_secret(settings: Settings) -> str:
    """Return the secret key that the operator has set, or that of the data folder.

    Raises `StartError` if it is missing although there are keys that it should open.
    """
    return settings.secret_key or _keep_secret(settings.data_dir)


def keys_path(settings: Settings) -> Path:
    """Return where the keys lie; their folder is made if it is missing."""
    return _make_folder(settings.data_dir) / "keys"


def has_keys(settings: Settings) -> bool:
    """Tell whether there are keys, so that somebody has been at home here."""
    return (settings.data_dir / "keys").exists()


def require_folder(folder: Path) -> None:
    """Raise `StartError` unless the data folder can be written to, or made; nothing is left."""
    whole = folder.absolute()
    try:
        require_writable(next(each for each in (whole, *whole.parents) if each.exists()))
    except OSError as error:
        raise _unusable(folder, error) from error


def require_keys(settings: Settings) -> None:
    """Raise `StartError` if nobody has been at home here: a folder may be mistyped."""
    if not has_keys(settings):
        raise StartError(f"ANONCHAT_DATA_DIR: there is no anonchat in {settings.data_dir}")


def find_secret(settings: Settings) -> str:
    """Return the secret key if there is one; nothing is made."""
    path = settings.data_dir / "secret.key"
    try:
        return settings.secret_key or (_read_secret(path) if path.exists() else "")
    except OSError as error:
        raise _unusable(path, error) from error


def rotate_secret(settings: Settings, *, given: str = "") -> int:
    """Wrap all keys with a new secret key; return how many there were.

    The new one is `given` by an operator who has set the old one, else it is made and takes the
    place of the old one. A crash at any moment leaves a store that opens with the old one or the
    new one. Raises `StartError`, also while anonchat is running.
    """
    keys = KeyStore(keys_path(settings), obtain_secret(settings))
    try:
        keys.open()
        if given:
            return keys.rewrap(given)
        with _locked(settings.data_dir / "secret.key") as path:
            new = secrets.token_urlsafe(32)
            write_durably(new_beside(path), new.encode())
            count = keys.rewrap(new)
            put_in_place(path)
            return count
    except OSError as error:
        raise _unusable(settings.data_dir, error) from error
    finally:
        keys.close()


def _keep_secret(folder: Path) -> str:
    """Return the secret key of a single node; made once, readable by its owner alone.

    Of several who start first at the same moment one makes it, while the others wait at the lock.
    """
    path = _make_folder(folder) / "secret.key"
    try:
        with _locked(path):
            _finish_rotation(path)
            secret = _read_secret(path)
            if not secret:  # nobody was here before, or a crash was quicker than the disk
                _require_no_keys(folder, path)
                secret = secrets.token_urlsafe(32)
                _write_secret(path, secret)
    except OSError as error:
        raise _unusable(folder, error) from error
    return secret


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Let nobody else look at the secret key or change it; it is made, empty, if it is missing."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def _finish_rotation(path: Path) -> None:
    """Let the secret key in that the keys are wrapped with, if a crash has left two."""
    new = new_beside(path)
    if new.exists() and opens(path.with_name("keys"), new.read_text()):
        put_in_place(path)
    tidy(path)


def _require_no_keys(folder: Path, path: Path) -> None:
    keys = folder / "keys"
    if keys.exists() and keys.stat().st_size:
        path.unlink()  # it is empty, and was made by looking for it
        raise StartError(
            f"ANONCHAT_SECRET_KEY: {path} is missing, and without it {keys} cannot be opened; put "
            f"it back, or remove {folder} to begin anew"
        )


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise StartError(
            f"ANONCHAT_SECRET_KEY: {path} is damaged; put the right one back"
        ) from None


def _write_secret(path: Path, secret: str) -> None:
    try:
        with path.open("w") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError:
        os.truncate(path, 0)  # a part of a key would be taken for a whole one
        raise


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError as error:
        file = NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        raise _unusable(folder, file) from error
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def _unusable(path: Path, error: OSError) -> StartError:
    needs = "needs a folder that can be made and written to"
    return StartError(f"ANONCHAT_DATA_DIR: {needs}, got {path}: {error.strerror}")
