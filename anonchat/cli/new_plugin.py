"""Writes the file of a new plugin that has each hook, and its test."""

import keyword
from pathlib import Path

from ..errors import StartupError
from ..plugins.loading import list_builtin_names
from ..plugins.registrations import NAME

_TEMPLATES = Path(__file__).parent / "templates"
_PLACEHOLDER = "example"


def write_plugin(name: str, folder: Path) -> list[Path]:
    """Write `<name>.py` and `test_<name>.py` into a folder, and return their paths.

    Raises `StartupError` if the name cannot be used, or one of the files exists.
    """
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module):
        raise StartupError(f"{name}: the name of a plugin is like dice or word-filter")
    if name in list_builtin_names():
        raise StartupError(f"{name}: one of our plugins has this name")
    files = {
        folder / f"{module}.py": _TEMPLATES / "example.py.txt",
        folder / f"test_{module}.py": _TEMPLATES / "test_example.py.txt",
    }
    for path in files:
        if path.exists():
            raise StartupError(f"{path} exists already")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, template in files.items():
            with path.open("x") as file:
                file.write(_fill(template.read_text(), name, module))
    except OSError as error:
        raise StartupError(f"{folder}: {error.strerror}") from error
    return list(files)


def _fill(template: str, name: str, module: str) -> str:
    filled = template.replace("ANONCHAT_EXAMPLE_", f"ANONCHAT_{module.upper()}_")
    filled = filled.replace(f'"{_PLACEHOLDER}"', f'"{name}"')
    filled = filled.replace(f"/{_PLACEHOLDER}", f"/{name}")
    return filled.replace("__module__", module)
