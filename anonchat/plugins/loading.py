"""Loads the plugins that a setting names: files, folders, modules and installed entry points."""

import importlib
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from ..settings.types import expand_home
from .errors import PluginError, find_place
from .plugin import Plugin

_GROUP = "anonchat.plugins"
BUILTIN = Path(__file__).parent / "builtin"
"""The folder of our own plugins."""
_IMPORTERS = ("<frozen ", importlib.__path__[0], __file__)
_UNKNOWN = "there is no such file, folder, module or entry point"


def load_plugins(names: str) -> list[Plugin]:
    """Load our own plugins, except those left out by `-name`, and then the named ones, in order.

    `names` is separated by commas: files, folders (each `*.py` in it that does not begin with `_`
    and is not of tests), modules, or entry points of the group `anonchat.plugins`. A named one that
    is called like one of ours replaces it. Raises `PluginError`.
    """
    wanted = _split(names)
    left_out = {name[1:].strip() for name in wanted if name.startswith("-")}
    known = list_builtin_names()
    if unknown := sorted(left_out.difference(known)):
        raise PluginError(unknown[0], f"cannot be left out: ours are {', '.join(known)}")
    ours = [
        plugin
        for name in known
        if name not in left_out
        for plugin in _find_plugins(name, _import_module(f"{__package__}.builtin.{name}"))
    ]
    given = [plugin for name in wanted if not name.startswith("-") for plugin in _load(name)]
    replaced = {plugin.name for plugin in given}
    kept = [plugin for plugin in ours if plugin.name not in replaced]
    return list(dict.fromkeys([*kept, *given]))  # a module may import the plugin of another


def load_file(path: Path) -> list[Plugin]:
    """Load the plugins of one file. Raises `PluginError`."""
    return _find_plugins(path.stem, _import_file(path))


def list_builtin_names() -> list[str]:
    """Return the names of our own plugins."""
    return [path.stem for path in _list_files(BUILTIN)]


def is_of_tests(file: Path) -> bool:
    """Return whether pytest loads a file, by its name."""
    return file.name == "conftest.py" or file.match("test_*.py")


def list_plugin_folders(names: str) -> list[Path]:
    """Return the folders in which the files of the named plugins are, without importing them.

    What cannot be found is left out.
    """
    folders = [_find_folder(name) for name in _split(names) if not name.startswith("-")]
    return list(dict.fromkeys(folder.resolve() for folder in folders if folder))


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _load(name: str) -> Iterator[Plugin]:
    path = _read_path(name)
    if path.is_dir():
        if not (files := _list_files(path)):
            raise PluginError(name, "there is no *.py in this folder")
        for file in files:
            yield from load_file(file)
    elif path.is_file():
        yield from load_file(path)
    elif _is_path(path):
        raise PluginError(name, "there is no such file or folder")
    elif entry := _find_entry_point(name):
        loaded = _import(name, entry.load)
        yield from [loaded] if isinstance(loaded, Plugin) else _find_plugins(name, loaded)
    else:
        yield from _find_plugins(name, _import_module(name))


def _find_folder(name: str) -> Path | None:
    path = _read_path(name)
    if path.is_dir():
        return path
    if path.parent.is_dir() and (path.is_file() or _is_path(path)):
        return path.parent
    try:
        entry = _find_entry_point(name)
        spec = importlib.util.find_spec(entry.module if entry else name)
    except Exception:  # finding a module imports its package
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


def _read_path(name: str) -> Path:
    try:
        return expand_home(Path(name))
    except ValueError as error:
        raise PluginError(name, str(error)) from error


def _is_path(path: Path) -> bool:
    return path.suffix == ".py" or len(path.parts) > 1


def _find_entry_point(name: str) -> EntryPoint | None:
    match tuple(entry_points(group=_GROUP, name=name)):
        case ():
            return None
        case (entry,):
            return entry
        case found:
            packages = " and ".join(each.dist.name if each.dist else "?" for each in found)
            raise PluginError(name, f"several packages have it as an entry point: {packages}")


def _list_files(folder: Path) -> list[Path]:
    files = folder.glob("[!_]*.py")
    return sorted(file for file in files if not is_of_tests(file))


def _import_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise PluginError(name, _UNKNOWN)

    def load() -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and f"{name}.".startswith(f"{error.name}."):
                raise PluginError(name, _UNKNOWN) from error
            raise

    module: ModuleType = _import(name, load)
    return module


def _import_file(path: Path) -> ModuleType:
    base = name = f"anonchat_plugin_{path.stem}"
    for number in itertools.count(2):  # folders may have files of the same name
        if name not in sys.modules:
            break
        name = f"{base}_{number}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise PluginError(path.stem, "is not a Python file", file=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic and pickle find the classes of a module by its name
    loader = spec.loader
    try:
        _import(path.stem, lambda: loader.exec_module(module), file=str(path))
    except PluginError:
        del sys.modules[name]
        raise
    return module


def _import(name: str, load: Callable[[], Any], *, file: str = "") -> Any:
    try:
        return load()
    except PluginError:
        raise
    except SyntaxError as error:
        file, line = error.filename or file, error.lineno or 0
        raise PluginError(name, error.msg, file=file, line=line) from error
    except (Exception, SystemExit) as error:  # whatever its code raises
        file, line = _find_place(error) or (file, 0)
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(name, reason, file=file, line=line) from error


def _find_place(error: BaseException) -> tuple[str, int] | None:
    """Return file and line of an error where the plugin made it, not where a library raised it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_IMPORTERS)
    ]
    if not frames:
        return None
    return find_place(error, Path(frames[0].filename).parent)


def _find_plugins(name: str, module: object) -> list[Plugin]:
    values = vars(module).values() if isinstance(module, ModuleType) else ()
    plugins = [each for each in values if isinstance(each, Plugin)]
    if not plugins:
        reason = 'it creates no plugin; needs plugin = Plugin("name")'
        raise PluginError(name, reason, file=getattr(module, "__file__", None) or "")
    return plugins
