"""Format of log lines."""

import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from anonchat import StartupError
from anonchat.runtime.logging import LineFormatter, configure_logging
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
    return LineFormatter(kind).format(record)


def test_own_message_is_written_in_full() -> None:
    line = _line("pages.transport.client_revoker", "%d s late", 3)
    assert line == "1970-01-01T00:00:00.000+00:00 ERROR pages.transport.client_revoker: 3 s late"


def test_json_line_contains_the_same_fields() -> None:
    assert json.loads(_line("anonchat", "here", error=OSError(28, "x"), kind="json")) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "ERROR",
        "logger": "anonchat",
        "message": "here",
        "error": "OSError (No space left on device) at an unknown location",
    }


@pytest.mark.parametrize("name", ["nicegui", "anonchat_plugin", "root", ""])
def test_library_message_is_replaced_by_its_location(name: str) -> None:
    for message in ("secret", RuntimeError("secret")):
        assert "secret" not in (line := _line(name, message))
        assert "logged at y/z.py:7 speak" in line


@pytest.mark.parametrize("kind", ["text", "json"])
@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2K", "\x85", "\u2028", "\u202e", "\x00", "\x9b"])
def test_line_contains_no_control_characters(kind: str, end: str) -> None:
    line = _line("anonchat", "one%stwo", end, kind=kind)
    assert line.isprintable()
    assert "one" in line
    assert "two" in line


def test_error_is_logged_with_its_causes_and_without_its_message() -> None:
    try:
        try:
            _fail()
        except KeyError as error:
            raise StartupError("secret") from error
    except StartupError as error:
        line = _line("anonchat", "it failed", error=error)
    place = "at tests/logs/test_log_lines.py:"
    error_text, _, cause = line.partition(" | ")[2].partition(" from ")
    assert error_text.startswith(f"StartupError {place}")
    assert cause.startswith(f"KeyError {place}")
    assert cause.endswith(" _fail")
    assert "secret" not in line


def test_long_tracebacks_and_cause_chains_are_shortened() -> None:
    error: BaseException | None = None
    for _ in range(50):
        try:
            _fail_deep(100)
        except KeyError as new:
            new.__context__ = error
            error = new
    assert len(_line("anonchat", "it failed", error=error)) < 5_000


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Restore the logging configuration after the test."""
    root, level, handlers = logging.root, logging.root.level, [*logging.root.handlers]
    loggers = {name: logging.getLogger(name) for name in [*root.manager.loggerDict]}
    levels = {name: logger.level for name, logger in loggers.items()}
    own = {name: [*logger.handlers] for name, logger in loggers.items()}
    hooks, raising = (sys.excepthook, sys.unraisablehook), logging.raiseExceptions
    threading_hook = threading.excepthook
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, logger in loggers.items():
        logger.handlers = own[name]
        logger.setLevel(levels[name])
    (sys.excepthook, sys.unraisablehook), logging.raiseExceptions = hooks, raising
    threading.excepthook = threading_hook
    logging.captureWarnings(False)


@pytest.mark.parametrize(("level", "expected"), [("debug", True), ("info", False)])
def test_traceback_is_written_at_the_level_debug_only(
    restored_logging: None, capsys: pytest.CaptureFixture[str], level: str, expected: bool
) -> None:
    configure_logging(Settings.model_validate({"log_level": level}))
    try:
        raise RuntimeError("text of\x1b[2K a visitor")
    except RuntimeError:
        logging.getLogger("some.package").exception("failed")
    lines = capsys.readouterr().err.splitlines()
    assert ("RuntimeError: text of\\x1b[2K a visitor" in lines) is expected
    assert ("Traceback (most recent call last):" in lines) is expected
    assert len(lines) == (5 if expected else 1)


def test_traceback_of_a_rejected_action_is_not_written(
    restored_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(Settings(log_level="debug"))
    logging.getLogger("pages").debug("rejected", exc_info=KeyError("x"))
    assert "Traceback" not in capsys.readouterr().err


def test_library_loggers_are_limited_to_warnings(restored_logging: None) -> None:
    library = logging.getLogger("some.chatty.package")
    library.addHandler(logging.StreamHandler())
    configure_logging(Settings(log_level="DEBUG"))
    assert library.handlers == []
    assert not library.isEnabledFor(logging.INFO)
    assert logging.getLogger("pages.http.request_guard").isEnabledFor(logging.DEBUG)
    configure_logging(Settings(log_level="error"))
    assert not logging.getLogger("anonchat").isEnabledFor(logging.WARNING)


def _fail() -> None:
    raise KeyError("secret")


def _fail_deep(depth: int) -> None:
    if depth:
        _fail_deep(depth - 1)
    else:
        _fail()
