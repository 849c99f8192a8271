"""Loads the plugins that a setting names: files, folders, modules and installed entry points."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ..setting_types import expand_home
from .errors import PluginError
from .plugin import Plugin

_GROUP = "anonchat.plugins"
_BUILTIN = Path(__file__).parent / "builtin"


def load_plugins(names: str) -> list[Plugin]:
    """Load our own plugins, except those left out by `-name`, and then the named ones, in order.

    `names` is separated by commas: files, folders (each `*.py` in it that does not begin with `_`),
    modules, or entry points of the group `anonchat.plugins`. Raises `PluginError`.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    left_out = {name[1:].strip() for name in wanted if name.startswith("-")}
    known = list_builtin_names()
    if unknown := sorted(left_out.difference(known)):
        raise PluginError(unknown[0], f"cannot be left out: ours are {', '.join(known)}")
    plugins = [
        plugin
        for name in known
        if name not in left_out
        for plugin in _find_plugins(name, _import_module(f"{__package__}.builtin.{name}"))
    ]
    for name in wanted:
        if not name.startswith("-"):
            plugins += _load(name)
    return plugins


def list_builtin_names() -> list[str]:
    """Return the names of our own plugins."""
    return [path.stem for path in _list_files(_BUILTIN)]


def _load(name: str) -> Iterator[Plugin]:
    try:
        path = expand_home(Path(name))
    except ValueError as error:
        raise PluginError(name, str(error)) from error
    if path.is_dir():
        if not (files := _list_files(path)):
            raise PluginError(name, "there is no *.py in this folder")
        for file in files:
            yield from _find_plugins(file.stem, _import_file(file))
    elif path.is_file():
        yield from _find_plugins(path.stem, _import_file(path))
    elif path.suffix == ".py" or len(path.parts) > 1:
        raise PluginError(name, "there is no such file or folder")
    elif found := entry_points(group=_GROUP, name=name):
        (entry,) = found
        loaded = _import(name, entry.load)
        yield from [loaded] if isinstance(loaded, Plugin) else _find_plugins(name, loaded)
    else:
        yield from _find_plugins(name, _import_module(name))


def _list_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))


def _import_module(name: str) -> ModuleType:
    module: ModuleType = _import(name, lambda: importlib.import_module(name))
    return module


def _import_file(path: Path) -> ModuleType:
    name = f"anonchat_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise PluginError(path.stem, "is not a Python file", file=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic and pickle find the classes of a module by its name
    loader = spec.loader
    _import(path.stem, lambda: loader.exec_module(module))
    return module


def _import(name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except PluginError:
        raise
    except SyntaxError as error:
        file, line = error.filename or "", error.lineno or 0
        raise PluginError(name, error.msg, file=file, line=line) from error
    except Exception as error:  # whatever its code raises
        if isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]:
            reason = "there is no such file, folder, module or entry point"
            raise PluginError(name, reason) from error
        frame = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(name, reason, file=frame.filename, line=frame.lineno or 0) from error


def _find_plugins(name: str, module: ModuleType) -> list[Plugin]:
    plugins = [each for each in vars(module).values() if isinstance(each, Plugin)]
    if not plugins:
        reason = 'it creates no plugin; needs plugin = Plugin("name")'
        raise PluginError(name, reason, file=getattr(module, "__file__", None) or "")
    return list(dict.fromkeys(plugins))
