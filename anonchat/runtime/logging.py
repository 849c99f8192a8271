"""Logging: one line per event, without any visitor data.

Messages of this project are written in full, because they contain no visitor input. Messages of
libraries and texts of errors may quote input, so only the logger, the code location and the type of
the error are written. The level DEBUG is for developers: tracebacks are written too.

A line of each kind is written at most once a minute, with the number of suppressed repeats.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception, walk_tb

from ..settings import Settings
from .log_repeats import LogDeduplicator, LogEntry

_OWN_PACKAGES = ("anonchat", "pages", "models")
_ROOT = Path(__file__).parents[2]
_FRAMES_MAX = 12
_CAUSES_MAX = 4
_log = logging.getLogger("anonchat")


def configure_logging(settings: Settings) -> None:
    """Route logs, warnings and unhandled exceptions of this process to `DeduplicatingHandler`.

    Libraries are logged from WARNING up, whatever the level of this project.
    """
    logging.root.handlers = [DeduplicatingHandler(LineFormatter(settings.log_format))]
    if settings.log_level == "debug":
        logging.root.addHandler(TracebackHandler(logging.ERROR))
    logging.root.setLevel(logging.WARNING)
    for name in [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)  # some have their own handler
        logger.handlers.clear()
        logger.propagate = True
    for name in _OWN_PACKAGES:
        logging.getLogger(name).setLevel(settings.log_level.upper())
    logging.raiseExceptions = False  # else logging errors would print the record
    logging.captureWarnings(True)
    sys.excepthook = _log_unhandled
    sys.unraisablehook = lambda args: _log_unhandled(None, args.exc_value)
    threading.excepthook = lambda args: _log_unhandled(None, args.exc_value)


class DeduplicatingHandler(logging.Handler):
    """Writes records to standard error, each kind at most once a minute."""

    def __init__(
        self, formatter: "LineFormatter", *, repeated: LogDeduplicator | None = None
    ) -> None:
        super().__init__()
        self._formatter = formatter
        self._repeated = repeated or LogDeduplicator()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record unless one of its kind was written in the last minute."""
        try:
            self._write(self._repeated.take(sanitize_record(record)))
        except Exception:  # wrong arguments in a record must not break its caller
            self.handleError(record)

    def close(self) -> None:
        """Write the suppressed lines."""
        with self.lock:  # type: ignore[union-attr]
            self._write(self._repeated.take_all())
        super().close()

    def _write(self, lines: Iterable[LogEntry]) -> None:
        with suppress(OSError, ValueError):  # standard error is gone
            for line in lines:
                sys.stderr.write(f"{self._formatter.write(line)}\n")
            sys.stderr.flush()
        self._set_timer()

    def _set_timer(self) -> None:
        seconds = self._repeated.seconds_until_due()
        if seconds is not None and self._timer is None:
            self._timer = threading.Timer(seconds, self._write_due)
            self._timer.daemon = True
            self._timer.start()

    def _write_due(self) -> None:
        with self.lock:  # type: ignore[union-attr]
            self._timer = None
            self._write(self._repeated.take_due())


class TracebackHandler(logging.Handler):
    """Writes the traceback of each error to standard error; it may quote what visitors sent."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the traceback of the record's error, if it has one."""
        if error := _find_error(record):
            with suppress(OSError, ValueError):  # standard error is gone
                sys.stderr.writelines(
                    f"{_escape(line)}\n"
                    for part in format_exception(error)
                    for line in part.split("\n")[:-1]
                )
                sys.stderr.flush()


class LineFormatter(logging.Formatter):
    """Formats a record as one line of `text` or `json`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._write = json.dumps if kind == "json" else _write_text

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted line of a record."""
        return self.write(sanitize_record(record))

    def write(self, line: LogEntry) -> str:
        """Return the text of a line."""
        fields = {
            "time": datetime.fromtimestamp(line.created, UTC).isoformat(timespec="milliseconds"),
            "level": line.level,
            "logger": line.logger,
            "message": line.message,
        }
        if line.repeated:
            fields["repeated"] = str(line.repeated)
        if line.error:
            fields["error"] = line.error
        return self._write(fields)


def sanitize_record(record: logging.LogRecord) -> LogEntry:
    """Return the loggable content of a record."""
    return LogEntry(
        created=record.created,
        level=record.levelname,
        logger=record.name,
        place=f"{record.pathname}:{record.lineno}",
        message=_safe_message(record),
        error=" from ".join(_describe(_find_error(record))),
    )


def _write_text(line: dict[str, str]) -> str:
    text = "{time} {level} {logger}: {message}".format(**line)
    if "repeated" in line:
        text += f" (repeated {line['repeated']} times within a minute)"
    if "error" in line:
        text += f" | {line['error']}"
    return _escape(text)


def _escape(text: str) -> str:
    """Replace control characters, with which a text could forge lines."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _safe_message(record: logging.LogRecord) -> str:
    """Return the message if it is from this project, else only its code location."""
    if record.name.partition(".")[0] in _OWN_PACKAGES:
        return record.getMessage()
    return f"logged at {_short_path(record.pathname)}:{record.lineno} {record.funcName}"


def _find_error(record: logging.LogRecord) -> BaseException | None:
    if record.exc_info and record.exc_info[1]:
        return record.exc_info[1]
    return record.msg if isinstance(record.msg, BaseException) else None


def _describe(error: BaseException | None) -> Iterator[str]:
    """Yield the type, code and code locations of an error and its causes, without texts."""
    for _ in range(_CAUSES_MAX):
        if error is None:
            return
        frames = [
            (frame.f_code.co_filename, line, frame.f_code.co_name)
            for frame, line in walk_tb(error.__traceback__)
        ]
        own = [frame for frame in frames if _is_own(frame[0])]
        last = [frame for frame in frames[-1:] if frame not in own]
        locations = [
            f"{_short_path(path)}:{line} {name}" for path, line, name in own[-_FRAMES_MAX:] + last
        ]
        where = ", ".join(locations) or "an unknown location"
        yield f"{type(error).__name__}{_code(error)} at {where}"
        error = _cause(error)


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _code(error: BaseException) -> str:
    """Return the OS or database error code of an error in parentheses, or an empty string."""
    if isinstance(error, OSError) and error.errno is not None:
        return f" ({os.strerror(error.errno)})"
    name = getattr(error, "sqlite_errorname", "") or getattr(error, "sqlstate", "")
    return f" ({name})" if name else ""


def _short_path(path: str) -> str:
    """Return the end of a path: enough to find the file, without the operator's folders."""
    return str(Path(path).relative_to(_ROOT)) if _is_own(path) else "/".join(Path(path).parts[-2:])


def _is_own(path: str) -> bool:
    return Path(path).is_relative_to(_ROOT) and "site-packages" not in path


def _log_unhandled(_kind: object, error: BaseException | None, *_traceback: object) -> None:
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return
    _log.critical("unhandled exception", exc_info=error)
