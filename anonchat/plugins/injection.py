"""Injection: the parameters of a plugin's function, filled in by their types."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import error_at

_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


@dataclass(frozen=True, slots=True)
class Injected:
    """A function whose parameters are known.

    `types` are the types that are injected, by parameter; `arguments` are the other parameters.
    """

    plugin: str
    function: Callable[..., Any]
    types: Mapping[str, type]
    arguments: tuple[inspect.Parameter, ...]

    def wants(self, kind: type) -> bool:
        """Return whether a value of this type is injected."""
        return kind in self.types.values()

    def call(self, values: Mapping[type, object], /, **arguments: object) -> Any:
        """Call the function; `values` are what can be injected, by type."""
        injected = {name: values[kind] for name, kind in self.types.items()}
        return self.function(**injected, **arguments)


def inject(
    plugin: str, function: Callable[..., Any], available: Collection[type], *, what: str
) -> Injected:
    """Read the signature of a function into which values of the `available` types are injected.

    Raises `PluginError` if the annotations cannot be read, or for `*args` and `**kwargs`.
    """
    try:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
    except Exception as error:
        reason = f"the annotations of the {what} cannot be read: {error}"
        raise error_at(plugin, function, reason) from error
    types: dict[str, type] = {}
    arguments: list[inspect.Parameter] = []
    for parameter in parameters:
        if parameter.kind in _VARIADIC or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            reason = f"the {what} has a parameter {parameter}, which cannot be passed by name"
            raise error_at(plugin, function, reason)
        if isinstance(parameter.annotation, type) and parameter.annotation in available:
            types[parameter.name] = parameter.annotation
        else:
            arguments.append(parameter)
    return Injected(plugin, function, types, tuple(arguments))


def inject_all(
    plugin: str, function: Callable[..., Any], available: Collection[type], *, what: str
) -> Injected:
    """Do what `inject` does for a function that is called with injected values alone.

    Raises `PluginError` for a parameter that is not one of these types and has no default.
    """
    injected = inject(plugin, function, available, what=what)
    for parameter in injected.arguments:
        if parameter.default is inspect.Parameter.empty:
            names = ", ".join(sorted(kind.__name__ for kind in available))
            reason = f"the {what} asks for an unknown parameter: {parameter}; known are {names}"
            raise error_at(plugin, function, reason)
    return injected
