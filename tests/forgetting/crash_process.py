"""A process that runs an operation and kills itself at a given step, in a forked child per job.

Each line on standard input is a job in JSON: the data folder, the operation and the number of the
step. Each line on standard output is the exit code of the child: 0 if the operation has completed
before that step.
"""

import asyncio
import gc
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
from anonchat.security.secret_key import rotate_secret_key
from anonchat.storage.database import Database
from tests.fakes import FakeClock, make_settings


class _Killer:
    """Counts disk writes, commits and published events; kills the process at one of them."""

    def __init__(self, at: int) -> None:
        self._remaining = at

    def step(self, *_: object) -> None:
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def count_calls(self, owner: Any, *names: str) -> None:
        """Count each call of these functions of `owner`, before it is executed."""
        for name in names:
            setattr(owner, name, self._wrap(getattr(owner, name)))

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            self.step()
            return function(*arguments, **options)

        return counting


async def _run_job(job: dict[str, Any]) -> None:
    killer = _Killer(job["step"])
    settings = make_settings(Path(job["folder"]), **job["settings"])
    if job["act"] == "rotate":
        killer.count_calls(os, "fsync", "replace", "link", "unlink")
        rotate_secret_key(settings)
        return
    clock = FakeClock()
    clock.now = datetime.fromisoformat(job["now"])
    chat = Chat(settings, clock=clock)
    if job["act"] == "start":
        _count_steps(chat, killer)
    await chat.start()
    if job["act"] != "start":
        _count_steps(chat, killer)
    match job["act"]:
        case "purge":
            clock.now = datetime.fromisoformat(job["then"])
            await chat.expiry.purge()
        case "delete":
            await chat.messages.delete(
                job["room"], visitor_id=job["visitor"], message_id=job["message"]
            )
        case "edit":
            await chat.messages.edit(
                job["room"],
                visitor_id=job["visitor"],
                message_id=job["message"],
                text=job["text"],
            )
        case "forget":
            await chat.identity.forget(job["visitor"])
        case "burn":
            await chat.room_deletion.burn(job["room"], visitor_id=job["visitor"])
        case "change":
            await chat.room_editor.update(job["room"], visitor_id=job["visitor"], **job["changes"])
    os._exit(0)


def _count_steps(chat: Chat, killer: _Killer) -> None:
    killer.count_calls(os, "pwrite", "fsync")
    killer.count_calls(Database, "truncate_wal")
    killer.count_calls(chat.bus, "publish")
    event.listen(chat._database._engine.sync_engine, "commit", killer.step)


def main() -> None:
    """Run the jobs, each in a child process."""
    gc.freeze()  # the children need not scan all modules
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(_run_job(json.loads(line)))
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201  # results go to the parent


if __name__ == "__main__":
    main()
