"""Code in colours."""

from htpy import span
from markupsafe import Markup

from anonchat import CodePainter, CodeTokens

from .template import Template, join_html

_TOKEN = Template(span(class_="code-{kind}")["{text}"])


def paint_with(found: CodeTokens) -> CodePainter:
    """Return what draws the blocks of code whose tokens were found."""

    def paint(language: str, code: str) -> Markup | None:
        tokens = found.get((language, code))
        if tokens is None:
            return None
        parts, end = [], 0
        for kind, length in tokens:
            text, end = code[end : end + length], end + length
            parts.append(_TOKEN.fill(kind=kind, text=text) if kind else text)
        return join_html([*parts, code[end:]])

    return paint
