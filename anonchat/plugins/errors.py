"""Errors of plugins: what stops the start, and what a visitor is told."""

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import N_, ChatError, StartupError

_OURS = Path(__file__).parents[1]


class PluginError(StartupError):
    """A plugin cannot be used; the text is one line with the plugin, its file, line and reason."""

    def __init__(self, plugin: str, reason: str, *, file: str = "", line: int = 0) -> None:
        place = f" ({file}, line {line})" if file and line else f" ({file})" if file else ""
        super().__init__(f"plugin {plugin}{place}: {' '.join(reason.split())}")


class PluginFailed(ChatError):
    """A function of a plugin failed; the log says which and where."""

    default = N_("That did not work. Please try again.")


def error_at(plugin: str, function: Callable[..., Any], reason: str) -> PluginError:
    """Return an error that names the file and line of a function."""
    file, line = place_of(function)
    return PluginError(plugin, reason, file=file, line=line)


def place_of(function: Callable[..., Any]) -> tuple[str, int]:
    """Return the file and the first line of a function; an empty text and 0 if it has none."""
    function = inspect.unwrap(function)
    function = getattr(function, "func", function)  # of a partial
    call = type(function).__call__  # of another object that can be called
    code = getattr(function, "__code__", None) or getattr(call, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else ("", 0)


def find_place(error: BaseException, folder: Path) -> tuple[str, int] | None:
    """Return where a plugin in a folder made an error: not where a library or we raised it.

    A plugin may be beside our code, and libraries may be installed below it.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if not file.is_relative_to(folder) or "site-packages" in file.relative_to(folder).parts:
            continue
        if folder.is_relative_to(_OURS) or not file.is_relative_to(_OURS):
            return frame.filename, frame.lineno or 0
    return None
