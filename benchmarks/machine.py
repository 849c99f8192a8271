"""Describes the machine and the versions of the programs."""

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from tests.chromium import find_chromium

_PACKAGES = ("nicegui", "python-socketio", "uvicorn", "uvloop", "websockets", "channels", "django")
_NODE_MODULES = Path(__file__).parent / "node_modules"
_SYNCS = 50


def describe_machine(*, load_before: float) -> list[str]:
    """Return lines about processor, memory, disk and load."""
    kernel = platform.release().partition("-")[0]
    busy = "; **other processes were running, so times are too long**" if load_before > 1 else ""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{_processor()}, {os.cpu_count()} processors, {gigabytes:.0f} GiB of memory",
        f"{platform.system()} {kernel}; a synced write takes {_sync_time():.1f} ms",
        f"load of the machine as the run began: {load_before:.1f}{busy}",
    ]


def describe_packages(*names: str) -> str:
    """Return a line with the versions of Python and these packages."""
    return f"Python {platform.python_version()}: " + ", ".join(f"{n} {version(n)}" for n in names)


def describe_versions() -> list[str]:
    """Return lines with the versions of Python, Node, Chromium and the peers."""
    return [
        describe_packages(*_PACKAGES),
        f"Node {read_version('node')}: hackchat-server {_node_version('hackchat-server')}, "
        f"ws {_node_version('ws')}",
        read_version(find_chromium() or "chromium"),
    ]


def read_version(program: str | Path, flag: str = "--version") -> str:
    """Return the version that a program prints."""
    path = shutil.which(program)
    if path is None:
        return f"no {program}"
    result = subprocess.run([path, flag], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _sync_time() -> float:
    with tempfile.TemporaryFile() as file:
        started = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return (time.perf_counter() - started) / _SYNCS * 1000


def _node_version(package: str) -> str:
    version: str = json.loads((_NODE_MODULES / package / "package.json").read_text())["version"]
    return version
