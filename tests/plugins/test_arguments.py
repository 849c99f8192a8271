"""Arguments of commands: how the words of a line become values."""

from collections.abc import Callable
from datetime import timedelta
from enum import Enum, IntEnum
from inspect import signature
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints

from anonchat.plugins.arguments import WrongArguments, read_arguments, split_words

Few = Annotated[int, Field(ge=1, le=9)]


class Drink(Enum):
    TEA = "tea"
    COFFEE = "black coffee"


class Side(IntEnum):
    ONE = 1


def none() -> None: ...
def two_words(one: str, two: str) -> None: ...
def rest(times: int, text: str) -> None: ...
def optional(text: str = "all") -> None: ...
def perhaps(text: str | None = None) -> None: ...
def short(text: Annotated[str, StringConstraints(max_length=5)]) -> None: ...
def number(times: Few = 1) -> None: ...
def of_field(times: int = Field(1, ge=1, le=9)) -> None: ...
def of_required_field(times: int = Field(ge=1)) -> None: ...
def choice(side: Literal["heads", "tails"]) -> None: ...
def digit(side: Literal[1, 2]) -> None: ...
def drink(wanted: Drink, times: int = 1) -> None: ...
def side(wanted: Side) -> None: ...
def switch(on: bool) -> None: ...
def fraction(share: float) -> None: ...
def either(share: int | None = None, *, loud: bool = False) -> None: ...
def span(duration: timedelta) -> None: ...


@pytest.mark.parametrize("quoted", ['"a b"', "“a b”", "„a b“", "”a b”", "«a b»"])
def test_quotes_of_all_languages_make_one_word(quoted: str) -> None:
    assert parse(two_words, f"{quoted} c") == {"one": "a b", "two": "c"}
    assert parse(two_words, f"c {quoted}") == {"one": "c", "two": "a b"}
    assert split_words(f"c {quoted} d") == ["c", "a b", "d"]


@pytest.mark.parametrize("text", ["“a", "a”", "«a”", "“a”b"])
def test_quotes_that_do_not_enclose_a_word_are_part_of_it(text: str) -> None:
    assert split_words(f"{text} c") == [text, "c"]


def parse(function: Callable[..., Any], line: str) -> dict[str, object]:
    return read_arguments([*signature(function).parameters.values()]).parse(line)


@pytest.mark.parametrize(
    ("function", "line", "values"),
    [
        (none, "", {}),
        (none, "  ", {}),
        (two_words, "tea with milk", {"one": "tea", "two": "with milk"}),
        (two_words, '"black tea" with milk', {"one": "black tea", "two": "with milk"}),
        (two_words, '"black tea" "with milk"', {"one": "black tea", "two": "with milk"}),
        (two_words, 'tea "with milk" now', {"one": "tea", "two": '"with milk" now'}),
        (two_words, r'"a \"b\" \\" c', {"one": 'a "b" \\', "two": "c"}),
        (two_words, '"" x', {"one": "", "two": "x"}),
        (two_words, '"open x', {"one": '"open', "two": "x"}),
        (two_words, 'it"s x', {"one": 'it"s', "two": "x"}),
        (two_words, '"a"b x', {"one": '"a"b', "two": "x"}),
        (two_words, "a\nb\n  c", {"one": "a", "two": "b\n  c"}),
        (two_words, "чай  с молоком ", {"one": "чай", "two": "с молоком"}),
        (rest, "2  good  day", {"times": 2, "text": "good  day"}),
        (optional, "", {"text": "all"}),
        (optional, "you two", {"text": "you two"}),
        (perhaps, "", {"text": None}),
        (perhaps, "you two", {"text": "you two"}),
        (short, "a b", {"text": "a b"}),
        (number, "", {"times": 1}),
        (number, "9", {"times": 9}),
        (of_field, "", {"times": 1}),
        (of_field, "9", {"times": 9}),
        (choice, "tails", {"side": "tails"}),
        (digit, "2", {"side": 2}),
        (drink, '"black coffee" 2', {"wanted": Drink.COFFEE, "times": 2}),
        (drink, "tea", {"wanted": Drink.TEA, "times": 1}),
        (side, "1", {"wanted": Side.ONE}),
        (switch, "yes", {"on": True}),
        (switch, "off", {"on": False}),
        (fraction, "0.5", {"share": 0.5}),
        (either, "", {"share": None, "loud": False}),
        (either, "3 true", {"share": 3, "loud": True}),
        (span, "PT3S", {"duration": timedelta(seconds=3)}),
    ],
)
def test_words_become_values(
    function: Callable[..., Any], line: str, values: dict[str, object]
) -> None:
    assert parse(function, line) == values


@pytest.mark.parametrize(
    ("function", "line", "reason"),
    [
        (none, "tea", ""),
        (two_words, "tea", ""),
        (two_words, "", ""),
        (number, "2 3", ""),
        (number, "0", "times: Input should be greater than or equal to 1"),
        (number, "10", "times: Input should be less than or equal to 9"),
        (number, "1.5", "times: Input should be a valid integer"),
        (of_field, "10", "times: Input should be less than or equal to 9"),
        (of_required_field, "", ""),
        (of_required_field, "0", "times: Input should be greater than or equal to 1"),
        (choice, "edge", "side: Input should be 'heads' or 'tails'"),
        (digit, "3", "side: Input should be 1 or 2"),
        (drink, "water", "wanted: Input should be 'tea' or 'black coffee'"),
        (switch, "perhaps", "on: Input should be a valid boolean"),
        (short, "too long", "text: String should have at most 5 characters"),
        (number, '"1', "times: Input should be a valid integer"),
    ],
)
def test_words_that_do_not_fit_are_refused_with_the_reason(
    function: Callable[..., Any], line: str, reason: str
) -> None:
    with pytest.raises(WrongArguments) as raised:
        parse(function, line)
    assert str(raised.value).startswith(reason)
    assert bool(str(raised.value)) == bool(reason)


@pytest.mark.parametrize(
    ("function", "usage"),
    [
        (none, ""),
        (two_words, "<one> <two>"),
        (either, "[share] [loud]"),
        (drink, "<wanted> [times]"),
        (of_field, "[times]"),
        (of_required_field, "<times>"),
    ],
)
def test_usage_marks_what_may_be_left_out(function: Callable[..., Any], usage: str) -> None:
    assert read_arguments([*signature(function).parameters.values()]).usage == usage
