"""A Redis server for tests, which can be killed, paused and restarted."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tools.ports import free_port

_TIMEOUT = 240


class Redis:
    """A server on a free local port, without persistence."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-redis-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Start the server with additional options, and wait until it listens."""
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        assert program, "make test installs redis-server"
        arguments = (
            "--databases",
            "10000",
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
        )
        self._process = subprocess.Popen(
            [program, *arguments, "--dir", self.folder, *options], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server; its data is lost."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Suspend the process, with its connections open."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Resume the suspended process."""
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def forget(self) -> None:
        """Delete all data, for the next test."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_TIMEOUT) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(64) == b"+OK\r\n"

    def remove(self) -> None:
        """Kill the server and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
