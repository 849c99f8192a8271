"""Writes docs/plugins-reference.md from the docstrings of `anonchat.plugins`."""

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
REFERENCE = Path(__file__).with_name("plugins-reference.md")
HEAD = """\
# Reference of the plugins

Written by `python docs/plugins_reference.py` from the docstrings; do not edit it.
[plugins.md](plugins.md) explains it with examples.
"""

_INTERNAL = [
    f"Plugin.{name}"
    for name in ("attach", "error", "has_routes", "is_ours", "locale", "setting_names")
]
_CONSTANTS = {
    "Duration": "The type of an argument or setting that is written as `90s`, `10m`, `24h` or "
    "`7d`; the value is a `timedelta`.",
}


def main() -> None:
    REFERENCE.write_text(make_reference())


def make_reference() -> str:
    from anonchat import plugins
    from anonchat.plugins import testing

    return "\n".join([HEAD, *_describe_module(plugins), *_describe_module(testing)])


def _describe_module(module: ModuleType) -> Iterator[str]:
    yield f"## {module.__name__}\n"
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield from _describe_class(name, value)
        elif inspect.isfunction(value):
            yield f"### {name}\n"
            yield from _describe_function(name, value)
        else:
            yield f"### {name}\n"
            yield f"{_CONSTANTS[name]}\n"


def _describe_class(name: str, kind: type) -> Iterator[str]:
    yield f"### {name}\n"
    if "__init__" in vars(kind) and name in ("Plugin", "Refused"):
        yield f"```python\n{name}{_signature(kind.__init__)}\n```\n"
    yield f"{_format(inspect.getdoc(kind))}\n"
    if dataclasses.is_dataclass(kind):
        yield "\n".join(
            f"- `{field.name}: {_type(field.type)}`"
            for field in dataclasses.fields(kind)
            if not field.name.startswith("_")
        )
        yield ""
    for member, value in vars(kind).items():
        if f"{name}.{member}" in _INTERNAL or (member.startswith("_") and member != "__call__"):
            continue
        if inspect.isfunction(value):
            yield from _describe_function(f"{name}.{member}", value)
        elif isinstance(value, property | cached_property):
            yield f"**`{name}.{member}`**: {_format(inspect.getdoc(value))}\n"


def _describe_function(name: str, function: object) -> Iterator[str]:
    name = name.removesuffix(".__call__")
    prefix = "async " if inspect.iscoroutinefunction(inspect.unwrap(function)) else ""
    yield f"```python\n{prefix}{name}{_signature(function)}\n```\n"
    yield f"{_format(inspect.getdoc(function))}\n"


def _signature(function: object) -> str:
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    text = str(signature.replace(parameters=parameters))
    return _shorten(text).replace(" -> Callable[[_Function], _Function]", "")


def _type(kind: object) -> str:
    plain = isinstance(kind, type) and not typing.get_args(kind)
    return kind.__name__ if plain else _shorten(str(kind))


def _shorten(text: str) -> str:
    """Remove the modules of types, and the quotes around those that are named before they exist."""
    text = re.sub(r"\b(?:[a-z]\w*\.)+(?=[A-Za-z_])", "", text).replace("~", "")
    return re.sub(r"'([A-Z]\w+)'", r"\1", text)


def _format(text: str | None) -> str:
    """Return a docstring with its doctest as a code block."""
    before, mark, example = (text or "").partition("\n\n>>> ")
    return f"{before}\n\n```python\n>>> {example}\n```" if mark else before


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
