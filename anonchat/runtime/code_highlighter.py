"""Splits the code in messages into coloured tokens, in a process that may be ended at any time."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from ..entities import Message
from ..text.markdown import find_code, has_code

_PROGRAM = Path(__file__).with_name("lexer_process.py")
_BLOCKS_MAX = 20  # of one message
_WAITING_MAX = 50  # messages
_ANSWER_SECONDS = 10.0  # it ends itself much earlier, by its processor time
_MOMENT_SECONDS = 0.5
_REST_SECONDS = 10.0  # after a code that took too long
_log = logging.getLogger(__name__)

Tokens = Sequence[tuple[str, int]]
"""The class of each token, or "", and how many characters it has."""

CodeTokens = Mapping[tuple[str, str], Tokens]
"""The tokens of blocks of code, by language and code."""


class CodeHighlighter:
    """Finds the tokens of code, one block after the other; what is found stays with its message.

    What takes too long has no tokens, and for some seconds after it nothing else has: so code that
    is made to be slow costs little.
    """

    def __init__(self) -> None:
        self._found: WeakKeyDictionary[Message, CodeTokens] = WeakKeyDictionary()
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[bool]] = set()
        self._rests_until = 0.0
        self._is_stopped = False

    def find(self, message: Message) -> CodeTokens | None:
        """Return the tokens of a message that `highlight` has found."""
        return self._found.get(message)

    async def highlight(self, message: Message) -> bool:
        """Find the tokens of the code in a message; return whether there are any."""
        if message in self._found:
            return True
        blocks = find_code(message.text)[:_BLOCKS_MAX]
        if not blocks or len(self._tasks) >= _WAITING_MAX:
            return False
        # A request cannot be cancelled without ending the process.
        task = asyncio.create_task(self._find_tokens(message, blocks), name="code highlighter")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def wait_for(self, messages: Iterable[Message]) -> None:
        """Find the tokens of the code in messages; return when it is done, or after a moment."""
        missing = [each for each in messages if has_code(each.text) and each not in self._found]
        if not missing:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_MOMENT_SECONDS):
                await asyncio.gather(*map(self.highlight, missing))

    def stop(self) -> None:
        """End the process."""
        self._is_stopped = True
        self._kill()

    async def _find_tokens(self, message: Message, blocks: Iterable[tuple[str, str]]) -> bool:
        async with self._turn:
            tokens = {block: await self._split(*block) for block in blocks}
        found = {block: found for block, found in tokens.items() if found}
        if found:
            self._found[message] = found
        return bool(found)

    async def _split(self, language: str, code: str) -> Tokens:
        now = asyncio.get_running_loop().time
        if self._is_stopped or now() < self._rests_until:
            return []
        request = json.dumps([language, code]).encode() + b"\n"
        answer = asyncio.create_task(asyncio.to_thread(self._ask, request))
        done, _ = await asyncio.wait([answer], timeout=_ANSWER_SECONDS)
        if done and (tokens := answer.result()) is not None:
            return tokens
        self._kill()  # then the thread ends, too
        self._rests_until = now() + _REST_SECONDS
        if not self._is_stopped:
            _log.warning("code took too long to be highlighted")
        return []

    def _ask(self, request: bytes) -> Tokens | None:
        """Return the tokens, or `None` if the process has ended; called in a thread."""
        try:
            process = self._process or self._start()
            assert process.stdin and process.stdout
            process.stdin.write(request)
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):  # ended, closed, or cannot be started
            return None
        return json.loads(line) if line.endswith(b"\n") else None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = process = subprocess.Popen(
            [sys.executable, "-I", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},  # none of our secrets
        )
        assert process.stdout
        process.stdout.readline()  # it is ready
        return process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
