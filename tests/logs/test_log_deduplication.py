"""Deduplication of log lines."""

import logging
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from anonchat.runtime import log_repeats as repeats_module
from anonchat.runtime.log_repeats import LogDeduplicator, LogEntry
from anonchat.runtime.logging import DeduplicatingHandler, LineFormatter, sanitize_record
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

_LINE = LogEntry(0, "WARNING", "anonchat.storage.database", "database.py:7", "the database is away")
_PROGRAM = """
import logging
from anonchat.runtime.logging import configure_logging
from anonchat.settings import Settings
configure_logging(Settings())
for number in range(1000):
    logging.getLogger("anonchat").warning("refused %d sockets", number)
    logging.getLogger("some_package").error("what a stranger said: %d", number)
logging.getLogger("anonchat").warning("another matter")
"""


class _Stopwatch:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stopwatch() -> _Stopwatch:
    return _Stopwatch()


def test_repeated_line_is_written_once_a_minute_with_a_count(stopwatch: _Stopwatch) -> None:
    lines = LogDeduplicator(stopwatch)
    written = []
    for _ in range(1_440):
        written += lines.take(_LINE)
        stopwatch.seconds += 0.125
    assert [line.repeated for line in written] == [0, 479, 479]


def test_suppressed_lines_are_counted_when_the_minute_ends(stopwatch: _Stopwatch) -> None:
    lines = LogDeduplicator(stopwatch)
    assert lines.take(_LINE) == [_LINE]
    assert lines.seconds_until_due() is None
    for _ in range(3):
        assert lines.take(_LINE) == []
    assert lines.seconds_until_due() == 60
    stopwatch.seconds = 59.9
    assert lines.take_due() == []
    stopwatch.seconds = 60
    assert [line.repeated for line in lines.take_due()] == [3]
    assert lines.take(_LINE) == [], "the count was written at this moment"
    stopwatch.seconds = 120
    assert [line.repeated for line in lines.take_due()] == [1]
    stopwatch.seconds = 180
    assert lines.take_due() == []
    assert lines.take(_LINE) == [_LINE]


@pytest.mark.parametrize(
    "change",
    [
        {"level": "ERROR"},
        {"logger": "anonchat.chat"},
        {"place": "database.py:8"},
        {"message": "the database is back"},
        {"error": "OSError (No space left on device) at anonchat/runtime/files.py:3 write"},
    ],
)
def test_line_of_another_kind_is_not_suppressed(
    stopwatch: _Stopwatch, change: dict[str, str]
) -> None:
    lines = LogDeduplicator(stopwatch)
    lines.take(_LINE)
    other = replace(_LINE, **change)  # type: ignore[arg-type]
    assert lines.take(other) == [other]


def test_lines_that_differ_only_in_numbers_are_one_kind(stopwatch: _Stopwatch) -> None:
    lines = LogDeduplicator(stopwatch)
    assert lines.take(replace(_LINE, message="3 of 4.5 s late"))
    assert not lines.take(replace(_LINE, message="70 of 81 s late"))
    assert lines.take(replace(_LINE, message="70 of 81 s early"))


def test_kinds_are_limited_and_no_line_is_lost(
    stopwatch: _Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats_module, "_KINDS_MAX", 3)
    lines = LogDeduplicator(stopwatch)
    kinds = [replace(_LINE, place=f"place {letter}") for letter in "abcdef"]
    written = [each for line in kinds for twice in (line, line) for each in lines.take(twice)]
    written += lines.take_all()
    assert sum(1 + line.repeated for line in written if not line.repeated) == 6
    assert sum(line.repeated for line in written) == 6
    assert len(lines._kinds) == 0


def test_handler_writes_suppressed_counts_when_closed(
    capsys: pytest.CaptureFixture[str], stopwatch: _Stopwatch
) -> None:
    handler = DeduplicatingHandler(LineFormatter("text"), repeated=LogDeduplicator(stopwatch))
    for number in range(5):
        handler.handle(_record("%d refused", number))
    handler.close()
    first, last = capsys.readouterr().err.splitlines()
    assert first.endswith("0 refused")
    assert last.endswith("4 refused (repeated 4 times within a minute)")


def test_handler_writes_suppressed_counts_when_the_minute_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats_module, "_INTERVAL_SECONDS", 0.05)
    handler = DeduplicatingHandler(LineFormatter("json"))
    while handler._timer is None:
        handler.handle(_record("refused"))
    handler._timer.join()
    handler.close()
    assert '"repeated": "' in capsys.readouterr().err


def test_record_with_wrong_arguments_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    DeduplicatingHandler(LineFormatter("text")).handle(_record("%d", "no number"))
    assert capsys.readouterr().err == ""


def test_line_keeps_no_traceback() -> None:
    try:
        raise ValueError("secret")
    except ValueError as error:
        record = _record("it failed")
        record.exc_info = (ValueError, error, error.__traceback__)
    line = sanitize_record(record)
    assert "ValueError" in line.error
    assert all(isinstance(getattr(line, name), (str, int, float)) for name in line.__slots__)


def test_flood_of_lines_leaves_a_short_log() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE,
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    assert sum("repeated 999 times" in line for line in lines) == 2
    assert any("another matter" in line for line in lines)
    assert "stranger" not in done.stderr


def _record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("anonchat", logging.ERROR, "x/y.py", 7, message, args, None)
