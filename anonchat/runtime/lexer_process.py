"""The program that splits code into coloured tokens, run by `CodeHighlighter` in its own process.

Lexers are regular expressions, some of which take forever for a few characters and cannot be
stopped by Python. So a request has a limit of processor time, at which the system ends the process.

A request is a line with a JSON list: the name of the language, and the code. The response is a line
with a list of tokens: a class or "", and a number of characters.
"""

import json
import os
import resource
import signal
import sys

from pygments.lexer import Lexer
from pygments.lexers.c_cpp import CppLexer
from pygments.lexers.css import CssLexer
from pygments.lexers.data import JsonLexer
from pygments.lexers.go import GoLexer
from pygments.lexers.html import HtmlLexer
from pygments.lexers.javascript import JavascriptLexer, TypeScriptLexer
from pygments.lexers.jvm import JavaLexer
from pygments.lexers.python import PythonLexer
from pygments.lexers.rust import RustLexer
from pygments.lexers.shell import BashLexer
from pygments.lexers.sql import SqlLexer
from pygments.token import (
    Comment,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)

LEXERS: dict[str, Lexer] = {
    "bash": BashLexer(),
    "cpp": CppLexer(),
    "css": CssLexer(),
    "go": GoLexer(),
    "html": HtmlLexer(),
    "java": JavaLexer(),
    "javascript": JavascriptLexer(),
    "json": JsonLexer(),
    "python": PythonLexer(),
    "rust": RustLexer(),
    "sql": SqlLexer(),
    "typescript": TypeScriptLexer(),
}
READY = "ready"

_CLASSES = (
    (Comment, "comment"),
    (Keyword, "keyword"),
    (Operator.Word, "keyword"),
    (Number, "number"),
    (String, "string"),
    (Literal, "number"),
    (Name.Function, "name"),
    (Name.Class, "name"),
    (Name.Tag, "keyword"),
    (Name.Attribute, "name"),
    (Name.Builtin, "name"),
    (Name.Decorator, "name"),
)
_SECONDS = 0.5  # of processor time for one request
_MEMORY = 512 * 1024**2
_NICENESS = 10  # messages come first


def split(language: str, code: str) -> list[tuple[str, int]]:
    """Return the tokens of a code; all together they are as long as it."""
    tokens: list[tuple[str, int]] = []
    for _, token, text in LEXERS[language].get_tokens_unprocessed(code):
        kind = _find_class(token)
        if tokens and tokens[-1][0] == kind:
            tokens[-1] = kind, tokens[-1][1] + len(text)
        elif text:
            tokens.append((kind, len(text)))
    return tokens


def _find_class(token: _TokenType) -> str:
    return next((kind for parent, kind in _CLASSES if token in parent), "")


def main() -> None:
    """Answer requests until there are no more."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _answer(READY)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        tokens = split(*json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        _answer(tokens)


def _answer(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
