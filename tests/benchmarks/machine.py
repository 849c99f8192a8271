"""What was measured on, and with what."""

import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("nicegui", "python-socketio", "uvicorn", "uvloop", "websockets", "channels", "django")
_NODE_MODULES = Path(__file__).parent / "node_modules"
_SYNCS = 50


def describe_machine(*, load_before: float) -> list[str]:
    """Return one line for each part that matters."""
    kernel = platform.release().partition("-")[0]
    busy = "; **others were at work on it, so that times are too long**" if load_before > 1 else ""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{_processor()}, {os.cpu_count()} processors, {gigabytes:.0f} GiB of memory",
        f"{platform.system()} {kernel}; a synced write takes {_sync_time():.1f} ms",
        f"load of the machine as the run began: {load_before:.1f}{busy}",
    ]


def describe_versions() -> list[str]:
    """Return one line for each kind of program."""
    python = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return [
        f"Python {platform.python_version()}: {python}",
        f"Node {_ask('node', '--version')}: hackchat-server {_node_version('hackchat-server')}, "
        f"ws {_node_version('ws')}",
        _ask("chromium", "--version"),
    ]


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


def _ask(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        return f"no {program}"
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _node_version(package: str) -> str:
    version: str = json.loads((_NODE_MODULES / package / "package.json").read_text())["version"]
    return version
