"""Where a server's time goes, for the goals that it misses."""

import asyncio
import re
import shutil
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.benchmarks.outcome import Table
from tests.benchmarks.server import Server

_THREAD = re.compile(r"^[^;]*_bootstrap ")
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
    before = server.processor(), server.processor_of_main_thread()
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
        await _end(process)
    every = server.processor() - before[0]
    main = server.processor_of_main_thread() - before[1]
    if seen.exists() and (stacks := seen.read_text().splitlines()):
        tables.append(_draw(title, stacks, main, every - main))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGINT)  # it writes as it is interrupted
    try:
        await asyncio.wait_for(process.wait(), _PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()


def _draw(title: str, stacks: Sequence[str], main: float, others: float) -> Table:
    """Return the parts that the innermost functions belong to, and the busiest of those.

    A thread that waits for work can look busy; so all that was seen in the main thread counts for
    as much as that has taken of the processor, and what was seen in the others for as much as they.
    """
    seen = [_read(stack) for stack in stacks]
    in_main = sum(seconds for is_main, _, _, seconds in seen if is_main) or 1
    in_others = sum(seconds for is_main, _, _, seconds in seen if not is_main) or 1
    parts: dict[str, float] = defaultdict(float)
    functions: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for is_main, part, name, samples in seen:
        share = samples / in_main * main if is_main else samples / in_others * others
        parts[part] += share / (main + others)
        functions[part][name] += share / (main + others)
    rows = [
        [part, f"{share:.0%}", ", ".join(f"{name} {part_of:.0%}" for name, part_of in busiest)]
        for part, share in _most(parts, _MOST)
        if (busiest := _most(functions[part], 3))
    ]
    return Table(f"Where the time goes: {title}", ["part", "of the time", "busiest in it"], rows)


def _most(shares: Mapping[str, float], count: int) -> list[tuple[str, float]]:
    """Return the largest that are worth a word."""
    ordered = sorted(shares.items(), key=lambda item: item[1], reverse=True)[:count]
    return [(name, share) for name, share in ordered if share > 0.01]


def _read(stack: str) -> tuple[bool, str, str, int]:
    """Return whether it was the main thread, the part and the function it was in, how often."""
    frames, _, count = stack.rpartition(" ")
    name, _, place = frames.rpartition(";")[2].partition(" (")
    return not _THREAD.search(frames), _name_part(place), name, int(count)


def _name_part(place: str) -> str:
    path = place.rpartition(":")[0].rpartition("site-packages/")[2]
    first = path.partition("/")[0]
    if first in _OWN:
        return path
    return _NAMES.get(first, first)
