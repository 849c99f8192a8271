"""Where a server's time goes, for the goals that it misses."""

import asyncio
import re
import shutil
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.benchmarks.outcome import Table
from tests.benchmarks.server import Server

_FRAME = re.compile(r"(?P<name>.+) \((?P<file>[^)]+?)(?::\d+)?\)$")
_OWN = {"main.py", "pages", "anonchat", "models"}
_NAMES = {"aiosqlite": "SQLite, in its thread"}
_RATE = 100
_MOST = 10
_PATIENCE = 20


@asynccontextmanager
async def profiling(server: Server, title: str) -> AsyncIterator[list[Table]]:
    """Look at the server's stacks during the block; afterwards the list holds what was seen.

    Looking slows it down, so nothing is measured meanwhile. Without py-spy, or the right to look,
    the list stays empty.
    """
    tables: list[Table] = []
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        yield tables
        return
    seen = server.folder / "stacks"
    arguments = ["record", "--format", "raw", "--rate", str(_RATE), "--duration", "600"]
    process = await asyncio.create_subprocess_exec(
        spy,
        *arguments,
        *("--output", str(seen), "--pid", str(server.pid)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield tables
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)  # it writes as it is interrupted
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    if seen.exists() and (stacks := seen.read_text().splitlines()):
        tables.append(_draw(title, stacks))


def _draw(title: str, stacks: Iterable[str]) -> Table:
    """Return the parts that the innermost functions belong to, and the busiest of those."""
    parts: Counter[str] = Counter()
    functions: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        frame = _FRAME.match(frames.rpartition(";")[2])
        if frame is None:
            continue
        part = _name_part(frame["file"])
        parts[part] += int(count)
        functions[part][frame["name"]] += int(count)
    total = parts.total()
    rows = []
    for part, count in parts.most_common(_MOST):
        busiest = [
            f"{name} {times / total:.0%}"
            for name, times in functions[part].most_common(3)
            if times / total > 0.01
        ]
        rows.append([part, f"{count / total:.0%}", ", ".join(busiest)])
    return Table(f"Where the time goes: {title}", ["part", "of the time", "busiest in it"], rows)


def _name_part(file: str) -> str:
    path = file.rpartition("site-packages/")[2]
    first = path.removeprefix("/").partition("/")[0]
    if first in _OWN:
        return path
    return _NAMES.get(first, first)
