"""Profiles a server process with py-spy."""

import asyncio
import re
import shutil
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.outcome import Table
from tools.servers.process import ManagedProcess

_THREAD = re.compile(r"^[^;]*_bootstrap ")
_OWN = {"main.py", "pages", "anonchat", "models"}
_NAMES = {"aiosqlite": "SQLite, in its thread"}
_RATE = 100
_MAX_ROWS = 10
_TIMEOUT_SECONDS = 20


@asynccontextmanager
async def profiling(server: ManagedProcess, title: str) -> AsyncIterator[list[Table]]:
    """Sample the server's stacks during the block; then add a table to the list.

    Sampling slows the server down, so nothing else is measured meanwhile. Without py-spy, or
    without permission to trace the process, the list stays empty.
    """
    tables: list[Table] = []
    before = server.processor_seconds(), server.main_thread_seconds()
    py_spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if py_spy is None:
        yield tables
        return
    output = server.folder / "stacks"
    arguments = ["record", "--format", "raw", "--rate", str(_RATE), "--duration", "600"]
    process = await asyncio.create_subprocess_exec(
        py_spy,
        *arguments,
        *("--output", str(output), "--pid", str(server.pid)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield tables
    finally:
        await _stop(process)
    total = server.processor_seconds() - before[0]
    main = server.main_thread_seconds() - before[1]
    if output.exists() and (stacks := output.read_text().splitlines()):
        tables.append(_make_table(title, stacks, main, total - main))


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGINT)  # py-spy writes its output when interrupted
    try:
        await asyncio.wait_for(process.wait(), _TIMEOUT_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _make_table(title: str, stacks: Sequence[str], main: float, others: float) -> Table:
    """Return a table of the parts with the most samples of innermost functions.

    A thread that waits for work can look busy. So the samples of the main thread, and those of the
    other threads, are weighted by the processor time that these have used.
    """
    samples = [_parse_stack(stack) for stack in stacks]
    in_main = sum(count for is_main, _, _, count in samples if is_main) or 1
    in_others = sum(count for is_main, _, _, count in samples if not is_main) or 1
    parts: dict[str, float] = defaultdict(float)
    functions: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for is_main, part, name, count in samples:
        share = count / in_main * main if is_main else count / in_others * others
        parts[part] += share / (main + others)
        functions[part][name] += share / (main + others)
    rows = [
        [part, f"{share:.0%}", ", ".join(f"{name} {own:.0%}" for name, own in busiest)]
        for part, share in _largest(parts, _MAX_ROWS)
        if (busiest := _largest(functions[part], 3))
    ]
    return Table(f"Where the time goes: {title}", ["part", "of the time", "busiest in it"], rows)


def _largest(shares: Mapping[str, float], count: int) -> list[tuple[str, float]]:
    """Return the largest shares above 1%."""
    ordered = sorted(shares.items(), key=lambda item: item[1], reverse=True)[:count]
    return [(name, share) for name, share in ordered if share > 0.01]


def _parse_stack(stack: str) -> tuple[bool, str, str, int]:
    """Return whether it is the main thread, its part and innermost function, and the count."""
    frames, _, count = stack.rpartition(" ")
    name, _, place = frames.rpartition(";")[2].partition(" (")
    return not _THREAD.search(frames), _name_part(place), name, int(count)


def _name_part(place: str) -> str:
    path = place.rpartition(":")[0].rpartition("site-packages/")[2]
    first = path.partition("/")[0]
    if first in _OWN:
        return path
    return _NAMES.get(first, first)
