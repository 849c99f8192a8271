"""Colours of code: found in another process, which is ended if it takes too long."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from anonchat import CodeHighlighter, Message
from anonchat.runtime.lexer_process import LEXERS, split
from anonchat.text.code_languages import CODE_LANGUAGES
from pages.rows import message_row
from tests.pages.test_rows import MESSAGE, ParsedRow
from tests.timeouts import DEADLINE


@pytest.fixture
async def highlighter() -> AsyncIterator[CodeHighlighter]:
    highlighter = CodeHighlighter()
    yield highlighter
    highlighter.stop()


def _code(code: str, language: str = "python") -> Message:
    return replace(MESSAGE, text=f"```{language}\n{code}\n```")


async def test_code_is_drawn_in_colours_and_stays_the_same(highlighter: CodeHighlighter) -> None:
    message = _code("def f(x):\n    return '<b>'  # 1 & 2")
    assert ParsedRow(message_row(message).html).text("code-keyword") == ""
    assert await highlighter.highlight(message)
    parsed = ParsedRow(message_row(message, tokens=highlighter.find(message)).html)
    assert parsed.text("code-keyword") == "defreturn"
    assert parsed.text("code-string") == "'<b>'"
    assert parsed.text("code-comment") == "# 1 & 2"
    assert parsed.text("pre") == "def f(x):\n    return '<b>'  # 1 & 2"


async def test_only_named_languages_have_colours(highlighter: CodeHighlighter) -> None:
    assert not await highlighter.highlight(_code("def f(): pass", ""))
    assert not await highlighter.highlight(_code("def f(): pass", "cobol"))
    assert not await highlighter.highlight(replace(MESSAGE, text="`def f(): pass`"))
    assert highlighter._process is None


@pytest.mark.parametrize("language", sorted(set(CODE_LANGUAGES.values())))
def test_tokens_of_every_language_are_as_long_as_the_code(language: str) -> None:
    code = '/* a */ "b" \'c\' 1 # d\nif (e < 2) { return <f g="h"> }\n\x00é🎉\t\n'
    tokens = split(language, code)
    assert sum(length for _, length in tokens) == len(code)
    assert {kind for kind, _ in tokens} <= {"", *"comment keyword number string name".split()}


def test_every_language_has_a_lexer() -> None:
    assert LEXERS.keys() == set(CODE_LANGUAGES.values())


async def test_code_that_takes_too_long_is_drawn_without_colours(
    highlighter: CodeHighlighter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await highlighter.highlight(_code("a = 1"))
    process = highlighter._process
    assert process
    process.kill()  # as the system does when the processor time is spent
    assert not await highlighter.highlight(_code("a = 2"))
    assert not await highlighter.highlight(_code("a = 3")), "it rests"
    highlighter._rests_until = 0
    assert await highlighter.highlight(_code("a = 4"))


async def test_processor_time_of_a_request_is_limited(highlighter: CodeHighlighter) -> None:
    assert await highlighter.highlight(_code("a = 1"))
    process = highlighter._process
    assert process
    async with asyncio.timeout(DEADLINE):
        assert not await highlighter._split("python", "a = f(1)\n" * 1_000_000)
    assert process.returncode == -signal.SIGPROF


async def test_pages_wait_a_moment_for_colours(highlighter: CodeHighlighter) -> None:
    messages = [_code(f"a = {number}") for number in range(3)]
    await highlighter.highlight(messages[0])
    await highlighter.wait_for([*messages, MESSAGE])
    assert all(map(highlighter.find, messages))
