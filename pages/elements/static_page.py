"""A page without scripts: elements that are sent as HTML and not kept."""

import re
from types import TracebackType
from typing import Self

from markupsafe import escape
from nicegui import Client, ui

from anonchat import Language

from .first_paint import paint_page

_DOCUMENT = """<!doctype html>
<html lang="{language}" dir="{direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{head}
</head>
<body class="static">{content}</body>
</html>
"""
_PLACEHOLDER = re.compile("\0(\\w+)\0")


class StaticPage:
    """The page whose elements are created in its `with` block.

    It has no socket, so their handlers are never called, and buttons that do not submit a form are
    hidden. Afterwards `text` is the document.
    """

    def __init__(self, title: str, *, language: Language, head: str) -> None:
        self.text = ""
        self._title = title
        self._language = language
        self._head = head

    def __enter__(self) -> Self:
        self._client = Client(ui.page(""))
        self._client.__enter__()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.__exit__()
        self.text = _DOCUMENT.format(
            language=self._language.code,
            direction=self._language.direction,
            title=escape(self._title),
            head=f"{self._head}{self._client._head_html}",
            content=paint_page(self._client.content),
        )
        self._client.delete()


def placeholder(name: str) -> str:
    """Return the text that `fill_placeholders` replaces, so that a document is drawn only once."""
    return f"\0{name}\0"


def fill_placeholders(document: str, **values: str) -> str:
    """Replace the placeholders of a document by their values, which are escaped."""
    return _PLACEHOLDER.sub(lambda found: escape(values[found[1]]), document)
