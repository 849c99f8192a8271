"""`python -m benchmarks.cluster.poster`: a node without screens, whose visitors post.

It reads its parameters as one line of JSON, prints `ready`, and posts after the next line.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from anonchat import Chat
from benchmarks.posting import measure_posting
from pages.server import tune_gc
from tests.fakes import make_settings

_TEXT = "the quick brown fox jumps over the lazy dog"


async def main() -> None:
    """Post, and print the result."""
    parameters: dict[str, Any] = json.loads(sys.stdin.readline())
    chat = Chat(make_settings(Path(parameters["data"]), **parameters["settings"]))
    await chat.start()
    tune_gc()
    try:
        _print_line("ready")
        sys.stdin.readline()
        _print_line(json.dumps(await _post(chat, parameters["members"], parameters["seconds"])))
        sys.stdin.readline()
    finally:
        await chat.stop()


async def _post(chat: Chat, members: Sequence[tuple[str, str]], seconds: float) -> dict[str, float]:
    """Post by each pair of room and visitor."""
    stored = 0

    async def post(poster: int) -> None:
        nonlocal stored
        room, visitor = members[poster]
        await chat.messages.post(room, visitor_id=visitor, text=_TEXT)
        stored += 1

    result = await measure_posting(post, len(members), seconds)
    return {
        "rate": result.rate,
        "processor": result.processor_seconds,
        "p50": result.p50,
        "p99": result.p99,
        "stored": stored,
    }


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
