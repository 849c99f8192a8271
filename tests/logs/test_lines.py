"""How a line of the log is written."""

import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from anonchat import StartError
from anonchat.logs import LogLine, set_up_logs
from anonchat.settings import Settings


def _line(
    name: str,
    message: object,
    *args: object,
    error: BaseException | None = None,
    kind: str = "text",
) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, logging.ERROR, "x/y/z.py", 7, message, args, info, "speak")
    record.created = 0
    return LogLine(kind).format(record)


def test_our_own_sentences_are_written_out() -> None:
    line = _line("pages.watch", "%d s late", 3)
    assert line == "1970-01-01T00:00:00.000+00:00 ERROR pages.watch: 3 s late"


def test_a_line_of_json_says_the_same() -> None:
    assert json.loads(_line("anonchat", "here", error=OSError(28, "x"), kind="json")) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "ERROR",
        "logger": "anonchat",
        "message": "here",
        "error": "OSError (No space left on device) at an unknown place",
    }


@pytest.mark.parametrize("name", ["nicegui", "anonchat_plugin", "root", ""])
def test_of_what_others_say_only_the_place_is_written(name: str) -> None:
    for said in ("secret", RuntimeError("secret")):
        assert "secret" not in (line := _line(name, said))
        assert "said at y/z.py:7 speak" in line


@pytest.mark.parametrize("kind", ["text", "json"])
@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2K", "\x85", "\u2028", "\u202e", "\x00", "\x9b"])
def test_nothing_ends_a_line_or_moves_the_cursor(kind: str, end: str) -> None:
    line = _line("anonchat", "one%stwo", end, kind=kind)
    assert line.isprintable()
    assert "one" in line
    assert "two" in line


def test_an_error_is_told_with_its_causes_and_without_its_words() -> None:
    try:
        try:
            _fail()
        except KeyError as error:
            raise StartError("secret") from error
    except StartError as error:
        line = _line("anonchat", "it failed", error=error)
    place = "at tests/logs/test_lines.py:"
    told, _, cause = line.partition(" | ")[2].partition(" from ")
    assert told.startswith(f"StartError {place}")
    assert cause.startswith(f"KeyError {place}")
    assert cause.endswith(" _fail")
    assert "secret" not in line


def test_a_long_way_and_a_long_story_are_told_shortly() -> None:
    error: BaseException | None = None
    for _ in range(50):
        try:
            _fail_deep(100)
        except KeyError as new:
            new.__context__ = error
            error = new
    assert len(_line("anonchat", "it failed", error=error)) < 5_000


@pytest.fixture
def as_before() -> Iterator[None]:
    """Leave logging as it was."""
    root, level, handlers = logging.root, logging.root.level, [*logging.root.handlers]
    kept = {name: logging.getLogger(name) for name in [*root.manager.loggerDict]}
    levels = {name: logger.level for name, logger in kept.items()}
    own = {name: [*logger.handlers] for name, logger in kept.items()}
    hooks, raising = (sys.excepthook, sys.unraisablehook), logging.raiseExceptions
    threading_hook = threading.excepthook
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, logger in kept.items():
        logger.handlers = own[name]
        logger.setLevel(levels[name])
    (sys.excepthook, sys.unraisablehook), logging.raiseExceptions = hooks, raising
    threading.excepthook = threading_hook
    logging.captureWarnings(False)


def test_libraries_are_never_asked_for_more_than_warnings(as_before: None) -> None:
    chatty = logging.getLogger("some.chatty.package")
    chatty.addHandler(logging.StreamHandler())
    set_up_logs(Settings(log_level="DEBUG"))
    assert chatty.handlers == []
    assert not chatty.isEnabledFor(logging.INFO)
    assert logging.getLogger("pages.guard").isEnabledFor(logging.DEBUG)
    set_up_logs(Settings(log_level="error"))
    assert not logging.getLogger("anonchat").isEnabledFor(logging.WARNING)


def _fail() -> None:
    raise KeyError("secret")


def _fail_deep(depth: int) -> None:
    if depth:
        _fail_deep(depth - 1)
    else:
        _fail()
