"""Injection: the parameters of a plugin's function, filled in by their types."""

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from .errors import error_at

_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


@dataclass(frozen=True, slots=True)
class Injected:
    """A function whose parameters are known.

    `types` are the types that are injected, by parameter; those of `optional` parameters
    (`Visitor | None`) may be missing. `arguments` are the other parameters.
    """

    plugin: str
    function: Callable[..., Any]
    types: Mapping[str, type]
    optional: frozenset[str]
    arguments: tuple[inspect.Parameter, ...]

    def wants(self, kind: type) -> bool:
        """Return whether a value of this type is injected, if there is one."""
        return kind in self.types.values()

    def requires(self, kind: type) -> bool:
        """Return whether the function cannot be called without a value of this type."""
        return any(kind is each for name, each in self.types.items() if name not in self.optional)

    def call(self, values: Mapping[type, object], arguments: Mapping[str, object]) -> Any:
        """Call the function; `values` are what can be injected, by type."""
        injected = {
            name: values.get(kind) if name in self.optional else values[kind]
            for name, kind in self.types.items()
        }
        return self.function(**injected, **arguments)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of the class of another object that can be called."""
    return getattr(function, "__name__", type(function).__name__)


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
    injected: dict[str, type] = {}
    optional: set[str] = set()
    arguments: list[inspect.Parameter] = []
    for parameter in parameters:
        if parameter.kind in _VARIADIC or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            reason = f"the {what} has a parameter {parameter}, which cannot be passed by name"
            raise error_at(plugin, function, reason)
        kind, is_optional = _read_type(parameter.annotation)
        if not isinstance(kind, type) or kind not in available:
            arguments.append(parameter)
            continue
        injected[parameter.name] = kind
        if is_optional:
            optional.add(parameter.name)
    return Injected(plugin, function, injected, frozenset(optional), tuple(arguments))


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


def _read_type(annotation: object) -> tuple[object, bool]:
    """Return the type of a parameter, and whether it may be `None` instead."""
    if get_origin(annotation) in (Union, types.UnionType):
        others = [each for each in get_args(annotation) if each is not types.NoneType]
        if len(others) == 1:
            return others[0], True
    return annotation, False
