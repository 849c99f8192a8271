"""The arguments of a command: read from the words after its name, checked by pydantic."""

import inspect
import re
import types
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

# Phones and typographers write curly quotes; a quote inside of straight ones is escaped by \.
_WORD = re.compile(
    r"""(?: "((?:[^"\\]|\\.)*)" | [“”„]([^“”„]*)[“”] | «([^«»]*)» )(?=\s|$) | (\S+)""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")
_REQUIRED = inspect.Parameter.empty
_WRAPPERS = ("definitions", "nullable", "function-after", "function-before", "function-wrap")
_OBJECTS = {"dataclass", "model", "typed-dict"}
_COLLECTIONS = {"dict", "frozenset", "list", "set", "tuple"}


class WrongArguments(ValueError):
    """The words do not fit; the text names the argument and the reason, or is empty."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument; `takes_rest` is whether it takes all that remains of the line."""

    name: str
    adapter: TypeAdapter[Any]
    default: object
    takes_rest: bool

    @property
    def usage(self) -> str:
        """The argument as in a usage line: `<required>` or `[optional]`."""
        return f"<{self.name}>" if self.default is _REQUIRED else f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a command, in order."""

    all: tuple[Argument, ...]

    @property
    def usage(self) -> str:
        """The arguments as in a usage line."""
        return " ".join(argument.usage for argument in self.all)

    def parse(self, line: str) -> dict[str, object]:
        """Return the values of the arguments by name. Raises `WrongArguments`."""
        values: dict[str, object] = {}
        line = line.strip()
        for argument in self.all:
            match = _WORD.match(line)
            if match is None:
                if argument.default is _REQUIRED:
                    raise WrongArguments
                values[argument.name] = argument.default
                continue
            if argument.takes_rest:
                word, line = _unquote(line), ""
            else:
                word, line = _read_word(match), line[match.end() :].lstrip()
            values[argument.name] = _check(argument, word)
        if line:
            raise WrongArguments
        return values


def split_words(text: str) -> list[str]:
    """Return the words of a text as commands read them: `"quoted ones"` are one word."""
    return [_read_word(match) for match in _WORD.finditer(text)]


def read_arguments(parameters: Sequence[inspect.Parameter]) -> Arguments:
    """Return the arguments that these parameters stand for.

    Raises `ValueError` for a parameter without an annotation, or one that pydantic cannot check.
    """
    arguments = []
    for number, parameter in enumerate(parameters, 1):
        if parameter.annotation is _REQUIRED:
            raise ValueError(f"asks for an unknown parameter: {parameter} has no type")
        annotation, default = parameter.annotation, parameter.default
        if isinstance(default, FieldInfo):  # `times: int = Field(1, ge=1)`
            annotation = Annotated[annotation, default]
            default = (
                _REQUIRED
                if default.is_required()
                else default.get_default(call_default_factory=True, validated_data={})
            )
        adapter = _make_adapter(parameter, annotation)
        takes_rest = number == len(parameters) and _is_text(annotation)
        arguments.append(Argument(parameter.name, adapter, default, takes_rest))
    return Arguments(tuple(arguments))


def _make_adapter(parameter: inspect.Parameter, annotation: Any) -> TypeAdapter[Any]:
    reason = f"asks for an unknown parameter: {parameter} cannot be an argument"
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    except Exception as error:  # pydantic's own errors, and any of the annotation's code
        raise ValueError(reason) from error
    schema: Any = adapter.core_schema
    while schema["type"] in _WRAPPERS:
        schema = schema["schema"]
    if schema["type"] in _OBJECTS:
        raise ValueError(reason)
    if schema["type"] in _COLLECTIONS:
        raise ValueError(f"{parameter} cannot be an argument, which is read from a single word")
    return adapter


def _check(argument: Argument, word: str) -> object:
    try:
        return argument.adapter.validate_strings(word)
    except ValidationError as error:
        with suppress(ValidationError):
            return argument.adapter.validate_json(word)  # such as a number that is a Literal
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise WrongArguments(f"{argument.name}: {reason}") from None


def _read_word(match: re.Match[str]) -> str:
    straight, *others = match.groups()
    if straight is not None:
        return _ESCAPED.sub(r"\1", straight)
    return next(word for word in others if word is not None)


def _unquote(line: str) -> str:
    match = _WORD.fullmatch(line)
    return _read_word(match) if match else line


def _is_text(annotation: object) -> bool:
    """Return whether a type is `str`, perhaps annotated or optional."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_text(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return {*get_args(annotation)} <= {str, type(None)}
    return annotation is str
