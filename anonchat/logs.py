"""What is written in the log: one line for each event, and nothing of those who visit.

Our own sentences are written out, for nothing that a visitor sends goes into them. What a library
says may quote anything, and so may the text of an error; of both only that is told which cannot
come from outside: who spoke, where in the program, and the kind of error.

A line of one kind is written once a minute at most, and then says how many there were.
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
from traceback import walk_tb

from .repeats import Line, RepeatedLines
from .settings import Settings

_OURS = ("anonchat", "pages", "models")
_HOUSE = Path(__file__).parents[1]
_FRAMES_MOST = 12
_CAUSES_MOST = 4
_log = logging.getLogger("anonchat")


def set_up_logs(settings: Settings) -> None:
    """Let everything that is logged in this process come out as our lines, and nothing else.

    Libraries are heard from warnings on, whatever our own level is.
    """
    logging.root.handlers = [LineHandler(LogLine(settings.log_format))]
    logging.root.setLevel(logging.WARNING)
    for name in [*logging.root.manager.loggerDict]:
        logger = logging.getLogger(name)  # some bring a handler of their own, past ours
        logger.handlers.clear()
        logger.propagate = True
    for name in _OURS:
        logging.getLogger(name).setLevel(settings.log_level.upper())
    logging.raiseExceptions = False  # else a line that cannot be written is quoted at length
    logging.captureWarnings(True)
    sys.excepthook = _note_failure
    sys.unraisablehook = lambda failure: _note_failure(None, failure.exc_value)
    threading.excepthook = lambda failure: _note_failure(None, failure.exc_value)


class LineHandler(logging.Handler):
    """Writes records on the standard error output, each kind of them once a minute at most."""

    def __init__(self, formatter: "LogLine", *, repeated: RepeatedLines | None = None) -> None:
        super().__init__()
        self._formatter = formatter
        self._repeated = repeated or RepeatedLines()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless one of its kind was written in the last minute."""
        try:
            self._write(self._repeated.take(read_line(record)))
        except Exception:  # a record with the wrong arguments must not end whoever has made it
            self.handleError(record)

    def close(self) -> None:
        """Write what was held back."""
        with self.lock:  # type: ignore[union-attr]
            self._write(self._repeated.take_all())
        super().close()

    def _write(self, lines: Iterable[Line]) -> None:
        with suppress(OSError, ValueError):  # there is nobody to complain to
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


class LogLine(logging.Formatter):
    """Writes a record as one line, of `text` or of `json`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._write = _write_json if kind == "json" else _write_text

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return self.write(read_line(record))

    def write(self, line: Line) -> str:
        """Return a line as it is written."""
        told = {
            "time": datetime.fromtimestamp(line.created, UTC).isoformat(timespec="milliseconds"),
            "level": line.level,
            "logger": line.logger,
            "message": line.message,
        }
        if line.repeated:
            told["repeated"] = str(line.repeated)
        if line.error:
            told["error"] = line.error
        return self._write(told)


def read_line(record: logging.LogRecord) -> Line:
    """Return what may be told of a record."""
    return Line(
        created=record.created,
        level=record.levelname,
        logger=record.name,
        place=f"{record.pathname}:{record.lineno}",
        message=_tell(record),
        error=" from ".join(_describe(_find_error(record))),
    )


def _write_text(line: dict[str, str]) -> str:
    words = "{time} {level} {logger}: {message}".format(**line)
    if "repeated" in line:
        words += f" ({line['repeated']} times more within a minute)"
    if "error" in line:
        words += f" | {line['error']}"
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in words)


def _write_json(line: dict[str, str]) -> str:
    return json.dumps(line)


def _tell(record: logging.LogRecord) -> str:
    """Return the sentence if it is our own, else where somebody else's was said."""
    if record.name.partition(".")[0] in _OURS:
        return record.getMessage()
    return f"said at {_place(record.pathname)}:{record.lineno} {record.funcName}"


def _find_error(record: logging.LogRecord) -> BaseException | None:
    if record.exc_info and record.exc_info[1]:
        return record.exc_info[1]
    return record.msg if isinstance(record.msg, BaseException) else None


def _describe(error: BaseException | None) -> Iterator[str]:
    """Yield an error and its causes without their texts: kind, code, and where in the program."""
    for _ in range(_CAUSES_MOST):
        if error is None:
            return
        frames = [
            (frame.f_code.co_filename, line, frame.f_code.co_name)
            for frame, line in walk_tb(error.__traceback__)
        ]
        ours = [frame for frame in frames if _is_ours(frame[0])]
        last = [frame for frame in frames[-1:] if frame not in ours]
        ways = [f"{_place(path)}:{line} {name}" for path, line, name in ours[-_FRAMES_MOST:] + last]
        yield f"{type(error).__name__}{_code(error)} at {', '.join(ways) or 'an unknown place'}"
        error = _cause(error)


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _code(error: BaseException) -> str:
    """Return what an error of the system or of a database is called, in words that are theirs."""
    if isinstance(error, OSError) and error.errno is not None:
        return f" ({os.strerror(error.errno)})"
    name = getattr(error, "sqlite_errorname", "") or getattr(error, "sqlstate", "")
    return f" ({name})" if name else ""


def _place(path: str) -> str:
    """Return the last parts of a path: enough to find the file, and no folder of the operator's."""
    return (
        str(Path(path).relative_to(_HOUSE)) if _is_ours(path) else "/".join(Path(path).parts[-2:])
    )


def _is_ours(path: str) -> bool:
    return Path(path).is_relative_to(_HOUSE) and "site-packages" not in path


def _note_failure(_kind: object, error: BaseException | None, *_where: object) -> None:
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return
    _log.critical("something failed where nobody looked", exc_info=error)
