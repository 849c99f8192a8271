"""Reads the settings from their sources; unknown names, which would be ignored, are refused."""

import os
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from reprlib import repr as shorten

from annotated_types import Ge, Le
from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ..errors import StartupError
from . import Settings
from .types import ENV_FILE, PREFIX

_OUR_NAMES = [name.upper() for name in Settings.model_fields]
_BUILTIN_PLUGINS = Path(__file__).parents[1] / "plugins" / "builtin"
_CONFIDENTIAL = ("database_url", "bus_url", "secret_key")  # invalid values are not quoted


def read_settings(**given: str) -> Settings:
    """Read the settings from the environment; `given` takes precedence.

    Secrets may be files instead, in the folder `CREDENTIALS_DIRECTORY` that systemd sets.
    Raises `StartupError` with one line that names the setting.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY") or None
    _require_known_names(_OUR_NAMES, folder, is_open_to_plugins=True)
    try:
        return Settings(_secrets_dir=folder, **given)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        raise StartupError(_format_error(error.errors()[0])) from error


def require_known_settings(of_plugins: Iterable[str]) -> None:
    """Raise `StartupError` for a name that is neither a setting of ours nor of a loaded plugin."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY") or None
    names = [name.removeprefix(PREFIX) for name in of_plugins]
    _require_known_names([*_OUR_NAMES, *names], folder, is_open_to_plugins=False)


def _require_known_names(
    known: Collection[str], secrets: str | None, *, is_open_to_plugins: bool
) -> None:
    """Raise `StartupError` for a name with our prefix that is not a setting, or an unreadable file.

    Checks the environment, `.env`, and the folder of secrets if there is one. While the plugins are
    not loaded, a name may be that of a setting of theirs.
    """
    variables = (("", name) for name in os.environ)
    sources = [*variables, *_list_lines(), *_list_secrets(secrets)]
    has_plugins = any(name.upper() == f"{PREFIX}PLUGINS" for _, name in sources)
    for source, name in sources:
        setting = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and setting not in known:
            if is_open_to_plugins and (has_plugins or _is_of_builtin(setting)):
                continue
            nearest = [
                f"the nearest is {PREFIX}{each}" for each in get_close_matches(setting, known)
            ]
            hint = nearest[0] if nearest else "docs/settings.md lists them"
            raise StartupError(f"{source}{name} is not a setting; {hint}")


def _is_of_builtin(setting: str) -> bool:
    names = (file.stem for file in _BUILTIN_PLUGINS.glob("[!_]*.py"))
    return setting.startswith(tuple(f"{name.upper()}_" for name in names))


def _list_lines() -> Iterator[tuple[str, str]]:
    """Yield the names in `.env`, each with its file and line."""
    if not ENV_FILE.is_file():
        return
    for name, value, original, is_wrong in parse_stream(StringIO(_read_text(ENV_FILE))):
        start = len(original.string) - len(original.string.lstrip())  # after blank lines
        source = f"{ENV_FILE}, line {original.line + original.string.count(chr(10), 0, start)}: "
        has_no_value = is_wrong or (name is not None and value is None)
        if has_no_value and PREFIX in original.string.upper():
            raise StartupError(f"{source}needs NAME=value")
        yield source, name or ""


def _list_secrets(folder: str | None) -> Iterator[tuple[str, str]]:
    """Yield the names of the files in the folder of secrets, each with the folder."""
    if folder is None:
        return
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise StartupError(f"CREDENTIALS_DIRECTORY: {folder}: {error.strerror}") from error
    for name in names:
        if name.upper().startswith(PREFIX):
            _read_text(Path(folder, name))
        yield f"{folder}: ", name


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return content.decode()
    except OSError as error:
        raise StartupError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02x}"
        raise StartupError(f"{path}, line {line}: needs text in UTF-8, got {byte}") from None


def _format_error(error: ErrorDetails) -> str:
    """Return one line: which setting is invalid, what it needs, and what it got."""
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:  # concerns several settings, which it names
        return reason
    field = str(error["loc"][0])
    match error["type"]:
        case "value_error":
            needs = reason
        case "literal_error":
            needs = f"needs {error['ctx']['expected']}"
        case _:
            needs = f"needs a whole number {_format_bounds(field)}"
    is_quoted = needs.startswith("needs") and field not in _CONFIDENTIAL
    got = f", got {shorten(error['input'])}" if is_quoted else ""
    return f"{PREFIX}{field.upper()}: {needs}{got}"


def _format_bounds(field: str) -> str:
    """Return the bounds of a number as text."""
    metadata = Settings.model_fields[field].metadata
    lowest = next(each.ge for each in metadata if isinstance(each, Ge))
    highest = next((each.le for each in metadata if isinstance(each, Le)), None)
    return f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"
