"""Saves a site of this release for upgrade tests: `python -m tests.upgrades.make 0003`."""

import asyncio
import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from anonchat import Chat
from tests.fakes import FakeClock, make_settings
from tests.upgrades.site import SECRET, describe, populate


async def _create_site(data: Path) -> dict[str, Any]:
    clock = FakeClock()
    chat = Chat(make_settings(data, secret_key=SECRET), clock=clock)
    await chat.start()
    saved = await populate(chat, clock)
    saved["now"] = clock().isoformat()
    saved["site"] = await describe(chat, saved)
    await chat.stop()
    return saved


def _save(target: Path) -> None:
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        saved = asyncio.run(_create_site(data))
        (target / "keys").write_bytes((data / "keys").read_bytes())
        (target / "site.json").write_text(json.dumps(saved, indent=1, ensure_ascii=False))
        with sqlite3.connect(data / "anonchat.db") as database:
            (target / "anonchat.sql").write_text("\n".join(database.iterdump()) + "\n")


if __name__ == "__main__":
    _save(Path(__file__).parent / sys.argv[1])
