"""Runs `main.py` in forks of one process that has imported its modules already.

Imports take three quarters of the processor time of a start. Nothing else is shared: `main.py`
reads the settings, and makes log, event loop and application, in the fork.
"""

import atexit
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).parents[2]
_PR_SET_PDEATHSIG = 1


class ForkedProcess:
    """A process that runs `main.py`, with the methods of `Popen` that `ManagedProcess` calls.

    What it prints is appended to the two files.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        arguments: Sequence[str] = (),
        *,
        stdout: Path,
        stderr: Path,
    ) -> None:
        self._server = _start_server()
        self._status: int | None = None
        with self._server.lock:
            self.pid = self._server.ask(
                "fork", [str(folder), environment, arguments, [str(stdout), str(stderr)]]
            )
            self._descriptor = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Return the exit status, or `None` if it is running."""
        return self._wait(timeout_seconds=0)

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Wait until it has exited; return its exit status. Raises `TimeoutError`."""
        status = self._wait(timeout_seconds=timeout_seconds)
        if status is None:
            raise TimeoutError
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has exited."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def _wait(self, *, timeout_seconds: float | None) -> int | None:
        if self._status is None:
            ended, _, _ = select.select([self._descriptor], [], [], timeout_seconds)
            with self._server.lock:
                if ended and self._status is None:
                    self._status = self._server.ask("wait", self.pid)
        return self._status

    def __del__(self) -> None:
        os.close(self._descriptor)


class _ForkServer:
    """The process that forks. It ends when this process ends, and its forks with it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._connection, theirs = socket.socketpair()
        self._messages = self._connection.makefile("rw")
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.servers.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C must not reach it
        )
        theirs.close()

    def ask(self, request: str, argument: Any) -> int:
        """Send a request; return the answer."""
        self._messages.write(f"{json.dumps([request, argument])}\n")
        self._messages.flush()
        return int(self._messages.readline())

    def stop(self) -> None:
        """Stop it, and wait until it has exited."""
        self._messages.close()
        self._connection.close()
        self._process.wait()


@cache
def _start_server() -> _ForkServer:
    server = _ForkServer()
    atexit.register(server.stop)
    return server


def _serve(descriptor: int) -> None:
    """Answer requests until the connection is closed. Each fork returns from here, too."""
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rw") as messages:
        for line in messages:
            request, argument = json.loads(line)
            if request == "wait":
                _, status = os.waitpid(argument, 0)
                answer = os.waitstatus_to_exitcode(status)
            else:
                answer = os.fork()
                if answer == 0:
                    _prepare_fork(*argument)
                    return
            messages.write(f"{answer}\n")
            messages.flush()
    sys.exit()


def _prepare_fork(
    folder: str, environment: Mapping[str, str], arguments: Sequence[str], outputs: Sequence[str]
) -> None:
    """Make the process like one that was started with these arguments."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(outputs, start=1):
        output = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.dup2(output, number)
        os.close(output)
    sys.argv = [str(ROOT / "main.py"), *arguments]


if __name__ == "__main__":
    gc.disable()  # as in main.py
    import pages.server  # noqa: F401

    gc.freeze()  # else each fork scans it all when it exits, which takes longer than a command
    _serve(int(sys.argv[1]))
    runpy.run_path(sys.argv[0], run_name="__main__")
