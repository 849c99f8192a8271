"""The unit tests of the pages' own scripts, which run in Node."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.timeouts import DEADLINE

_HERE = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(_HERE.glob("*.test.js")), ids=lambda path: path.stem)
async def test_script_passes_its_unit_tests(path: Path) -> None:
    node = shutil.which("node")
    assert node, "install Node, or run `make test`"
    process = await asyncio.create_subprocess_exec(
        node,
        "--test",
        path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
