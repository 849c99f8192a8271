"""Errors of plugins: what stops the start, and what a visitor is told."""

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import N_, ChatError, StartupError


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
    function = inspect.unwrap(function)
    function = getattr(function, "func", function)  # of a partial
    call = type(function).__call__  # of another object that can be called
    code = getattr(function, "__code__", None) or getattr(call, "__code__", None)
    if code is None:
        return PluginError(plugin, reason)
    return PluginError(plugin, reason, file=code.co_filename, line=code.co_firstlineno)
