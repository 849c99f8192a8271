"""Ports of servers that tests start."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from tools.ports import free_port

_ROOT = Path(__file__).parents[1]
_SCRIPT = "from tools.ports import free_port; print(*(free_port() for _ in range(20))); input()"


async def test_processes_that_run_at_once_get_different_ports() -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SCRIPT, stdin=PIPE, stdout=PIPE, cwd=_ROOT
        )
        for _ in range(3)
    ]
    ports = [free_port() for _ in range(20)]
    for process in processes:
        assert process.stdout
        ports += map(int, (await process.stdout.readline()).split())
    for process in processes:
        await process.communicate(b"\n")
    assert len(ports) == len(set(ports)) == 80
