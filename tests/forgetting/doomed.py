"""A process that is killed at a step of its own choosing; started once, it forks for each death.

Each line on standard input is a job: the folder, what to do in it, at which step to die. The answer
is how the child ended: 0 if it has done everything and there was no such step.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from anonchat import Chat
from anonchat.database import Database
from anonchat.secret import rotate_secret
from tests.fakes import FakeClock, make_settings


class Death:
    """Counts the steps that leave a trace on the disk or tell somebody; kills at one of them."""

    def __init__(self, at: int) -> None:
        self._left = at

    def step(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def lurk(self, owner: Any, *names: str) -> None:
        """Count every call of these functions, before it does anything."""
        for name in names:
            setattr(owner, name, self._watch(getattr(owner, name)))

    def _watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.step()
            return function(*arguments, **options)

        return watched


async def _live(job: dict[str, Any]) -> None:
    death = Death(job["step"])
    settings = make_settings(Path(job["folder"]), **job["settings"])
    if job["act"] == "rotate":
        death.lurk(os, "fsync", "replace", "link", "unlink")
        rotate_secret(settings)
        return
    clock = FakeClock()
    clock.now = datetime.fromisoformat(job["now"])
    chat = Chat(settings, clock=clock)
    if job["act"] == "start":
        _doom(chat, death)
    await chat.start()
    if job["act"] != "start":
        _doom(chat, death)
    match job["act"]:
        case "purge":
            clock.now = datetime.fromisoformat(job["then"])
            await chat.expiry.purge()
        case "delete":
            await chat.messages.delete(
                job["room"], visitor_id=job["visitor"], message_id=job["message"]
            )
        case "forget":
            await chat.identity.forget(job["visitor"])
        case "burn":
            await chat.rooms.burn(job["room"], visitor_id=job["visitor"])
    os._exit(0)


def _doom(chat: Chat, death: Death) -> None:
    death.lurk(os, "pwrite", "fsync")
    death.lurk(Database, "truncate_journal")
    death.lurk(chat.bus, "publish")
    event.listen(chat._database._engine.sync_engine, "commit", death.step)


def main() -> None:
    """Do the jobs, one child each."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(_live(json.loads(line)))
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # its only voice


if __name__ == "__main__":
    main()
