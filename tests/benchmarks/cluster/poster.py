"""`python -m tests.benchmarks.cluster.poster`: a node without screens, whose visitors post.

It is told on one line of JSON what to do, says when it is ready, and posts when it gets a word.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from anonchat import Chat
from pages.server import settle
from tests.benchmarks.posting import pace
from tests.fakes import make_settings

_TEXT = "the quick brown fox jumps over the lazy dog"


async def main() -> None:
    """Post, and tell how it went."""
    wishes: dict[str, Any] = json.loads(sys.stdin.readline())
    chat = Chat(make_settings(Path(wishes["data"]), **wishes["settings"]))
    await chat.start()
    settle()
    try:
        _tell("ready")
        sys.stdin.readline()
        _tell(json.dumps(await _post(chat, wishes["places"], wishes["seconds"])))
        sys.stdin.readline()
    finally:
        await chat.stop()


async def _post(chat: Chat, places: Sequence[tuple[str, str]], seconds: float) -> dict[str, float]:
    """Let each of those, who are given with their room, post."""
    stored = 0

    async def post(poster: int) -> None:
        nonlocal stored
        room, guest = places[poster]
        await chat.messages.post(room, visitor_id=guest, text=_TEXT)
        stored += 1

    found = await pace(post, len(places), seconds)
    return {
        "rate": found.rate,
        "processor": found.processor,
        "p50": found.p50,
        "p99": found.p99,
        "stored": stored,
    }


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
