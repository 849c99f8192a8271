"""A child process that serves a port of this machine and dies with this process."""

import asyncio
import ctypes
import os
import pwd
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from tools.ports import free_port

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 240.0
"""How long a process may take to start or to stop, also on an overloaded machine."""

_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class _Child(Protocol):
    """What is called of a `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...

    def send_signal(self, number: signal.Signals, /) -> None: ...


class ManagedProcess(ABC):
    """A child process with its own port, which can be stopped, paused and restarted.

    As a context manager it is started, and killed at the end of the block.
    """

    end = signal.SIGTERM
    """The signal that stops it gracefully."""
    parent_death_signal = signal.SIGKILL
    """The signal it gets when the parent process dies."""
    user: str | None = None
    """The user it runs as, if not the current one."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.port = free_port()
        self._process: _Child | None = None

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command line."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Return whether it is ready."""

    def environment(self) -> Mapping[str, str]:
        """Return its environment variables."""
        return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}

    async def start(self) -> None:
        """Start it and wait until it is ready; kill it if it is not ready in time."""
        self.launch()
        try:
            await self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Start it without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            # In this thread: PR_SET_PDEATHSIG fires when the starting thread ends.
            self._process = subprocess.Popen(
                [str(argument) for argument in self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user and pwd.getpwnam(self.user).pw_gid,
                extra_groups=[] if self.user else None,
                start_new_session=True,  # Ctrl-C must not reach it: the parent stops it in order
                preexec_fn=self._die_with_parent,
            )

    async def wait_until_ready(self) -> None:
        """Wait until it is ready; raise `RuntimeError` with its log if it exits instead."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await self.is_ready():
                if not self.is_alive:
                    raise RuntimeError(f"{self.name} exited:\n{self.log}")
                await asyncio.sleep(_POLL_SECONDS)

    async def stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Stop it with this signal or its own, and wait until it has exited."""
        if self._process is None:
            return
        self.resume()  # paused processes could not exit
        self._process.send_signal(stop_signal or self.end)
        try:
            await self.wait_until_exited()
        except TimeoutError:
            self.kill()
            raise

    async def wait_until_exited(self) -> int:
        """Wait until it has exited; return its exit status."""
        assert self._process
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """Kill it and its descendants with SIGKILL."""
        self._signal_all(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def pause(self) -> None:
        """Suspend it and its descendants with SIGSTOP."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume it and its descendants."""
        self._signal_all(signal.SIGCONT)

    def processor_seconds(self) -> float:
        """Return the processor time of it and its descendants, in seconds."""
        return sum(_read_processor_seconds(f"{process}") for process in self._process_tree())

    def main_thread_seconds(self) -> float:
        """Return the processor time of its main thread, in seconds."""
        return _read_processor_seconds(f"{self.pid}/task/{self.pid}")

    def resident_bytes(self) -> int:
        """Return the resident memory of its process, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether its process is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path:
        """The file of its log."""
        return self.folder / f"{self.name}.log"

    @property
    def log(self) -> str:
        """The content of its log, of all runs."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._process_tree():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _process_tree(self) -> list[int]:
        """Return the ids of its process and its descendants, parents first."""
        found = [self.pid] if self.is_alive else []
        for process in found:
            with suppress(OSError):
                children = Path(f"/proc/{process}/task/{process}/children").read_text()
                found += map(int, children.split())
        return found

    def _die_with_parent(self) -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, self.parent_death_signal)


def _read_processor_seconds(task: str) -> float:
    """Return the processor time of a process or thread with its exited children; 0 if it ended."""
    try:
        fields = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
