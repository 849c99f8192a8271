"""`python main.py --reload`: serves in a child process, and restarts it after changes.

What visitors see stays, because it is in the database: their pages connect again.
"""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

from watchfiles import Change, watch

from ..errors import StartupError
from ..plugins.loading import BUILTIN, is_of_tests, list_plugin_folders
from ..runtime.logging import configure_logging
from ..settings import Settings
from ..settings.sources import read_settings

_SUFFIXES = {".py", ".po", ".css", ".svg", ".png", ".webp"}
_QUIET_MS = 100  # an editor writes several times
_POLL_MS = 1_000
_STOP_SECONDS = 15.0
_log = logging.getLogger(__name__)


def serve_and_reload() -> None:
    """Serve until SIGTERM or Ctrl-C; restart when a file of a plugin or a catalogue changes.

    If the server cannot start, its line says why, and another that the next change starts it again.
    """
    try:
        settings = read_settings()
    except StartupError as error:
        sys.exit(str(error))
    configure_logging(settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = _start_server()
    with suppress(KeyboardInterrupt):
        for changed in _watch(settings):
            _log.info("%s changed, restarting", ", ".join(changed))
            _stop_server(server)
            server = _start_server()
    _stop_server(server)


def list_watched_folders(settings: Settings) -> list[Path]:
    """Return the folders of the plugins and catalogues, without the folders in them."""
    folders = [BUILTIN, *list_plugin_folders(settings.plugins)]
    folders += [folder / "locale" for folder in folders]
    if settings.locale_dir:
        folders.append(settings.locale_dir)
    return [folder for folder in folders if folder.is_dir()]


def _watch(settings: Settings) -> Iterator[list[str]]:
    """Yield the names of the files that have changed, after each change."""
    while True:
        folders = list_watched_folders(settings)
        for changes in watch(
            *folders,
            watch_filter=_is_watched,
            debounce=_QUIET_MS,
            rust_timeout=_POLL_MS,
            yield_on_timeout=True,
            recursive=False,
        ):
            if changes:
                yield sorted({Path(path).name for _, path in changes})
            if folders != list_watched_folders(settings):
                break  # there is a new one, such as `locale`


def _is_watched(_change: Change, path: str) -> bool:
    file = Path(path)
    return file.suffix in _SUFFIXES and not is_of_tests(file)


def _start_server() -> "subprocess.Popen[bytes]":
    server = subprocess.Popen([sys.executable, sys.argv[0]])
    Thread(target=_report_failure, args=(server,), daemon=True).start()
    return server


def _report_failure(server: "subprocess.Popen[bytes]") -> None:
    """Wait until the server stops; if that is an error, of which it has told, say what follows."""
    if server.wait() > 0:  # a signal stops it with 0 or less
        _log.warning("the server has stopped; waiting for the next save")


def _stop_server(server: "subprocess.Popen[bytes]") -> None:
    """Stop the server as SIGTERM does, or kill it after a while; it may have stopped already."""
    server.terminate()
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
