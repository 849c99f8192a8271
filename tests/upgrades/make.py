"""Leaves a site behind for later releases: `python -m tests.upgrades.make 0003`, once for each."""

import asyncio
import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from anonchat import Chat
from tests.fakes import FakeClock, make_settings
from tests.upgrades.site import SECRET, describe, settle


async def _live(data: Path) -> dict[str, Any]:
    clock = FakeClock()
    chat = Chat(make_settings(data, secret_key=SECRET), clock=clock)
    await chat.start()
    keepsake = await settle(chat, clock)
    keepsake["now"] = clock().isoformat()
    keepsake["site"] = await describe(chat, keepsake)
    await chat.stop()
    return keepsake


def _leave(place: Path) -> None:
    place.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        keepsake = asyncio.run(_live(data))
        (place / "keys").write_bytes((data / "keys").read_bytes())
        (place / "site.json").write_text(json.dumps(keepsake, indent=1, ensure_ascii=False))
        with sqlite3.connect(data / "anonchat.db") as database:
            (place / "anonchat.sql").write_text("\n".join(database.iterdump()) + "\n")


if __name__ == "__main__":
    _leave(Path(__file__).parent / sys.argv[1])
