"""Draws the Markdown of messages as HTML: pure functions, for pages and the API alike.

Nothing that is written runs: raw HTML is text, only http and https addresses become links, and
images are links. References such as `&amp;` stay as they were typed, so a text cannot contain what
was removed from it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape
from pyromark import Markdown, Options

from .code_languages import CODE_LANGUAGES
from .links import find_links, is_link

DEPTH_MAX = 8
"""What is nested deeper is drawn at this depth."""

CodePainter = Callable[[str, str], Markup | None]
"""Draws the code of a block, whose language is one of `CODE_LANGUAGES`; `None` if it cannot."""

# Texts without these are drawn as they are. Most count at the beginning of a line only.
_MARKUP = re.compile(
    r"[*_~`\[\\]|\|\||^[ \t]*(?:[>#]|[-+][ \t\n]|\d{1,9}[.)][ \t\n]|-+[ \t]*$|=+[ \t]*$)",
    re.MULTILINE,
)
# A text with more of these is drawn as it is; no message has as many characters.
_EVENTS_MAX = 4_000
_CHARACTERS_MAX = 12_000
_parser = Markdown(options=Options.ENABLE_STRIKETHROUGH)

_NOTHING, _LINE_BREAK, _RULE = Markup(), Markup("<br>"), Markup("<hr>")
_PARAGRAPH = Markup("<p>"), Markup("</p>")
_SPOILER = Markup('<span class="spoiler">'), Markup("</span>")
_LIST = Markup("<ul>"), Markup("</ul>")
_TAGS = {
    "Paragraph": _PARAGRAPH,
    "HtmlBlock": _PARAGRAPH,
    "Heading": (Markup("<p><strong>"), Markup("</strong></p>")),
    "BlockQuote": (Markup("<blockquote>"), Markup("</blockquote>")),
    "Item": (Markup("<li>"), Markup("</li>")),
    "Emphasis": (Markup("<em>"), Markup("</em>")),
    "Strong": (Markup("<strong>"), Markup("</strong>")),
    "Strikethrough": (Markup("<del>"), Markup("</del>")),
}
_BLOCKS = frozenset(
    {"Paragraph", "HtmlBlock", "Heading", "BlockQuote", "Item", "List", "CodeBlock"}
)
_WITHOUT_DEPTH = frozenset({"Paragraph", "HtmlBlock", "Item"})  # lists and their items are one
_NUMBERED_LIST = Markup("<ol>"), Markup("</ol>")
_LIST_FROM = Markup('<ol start="{}">')
_CODE = Markup("<code>{}</code>")
_CODE_BLOCK = Markup("<pre><code>{}</code></pre>")
_CODE_BLOCK_IN = Markup('<pre><code class="language-{}">{}</code></pre>')
_LINK_TO, _LINK_TITLE = Markup('<a href="'), Markup('" title="')
_LINK_TEXT = Markup('" target="_blank" rel="noopener noreferrer nofollow">')
_LINK_END = Markup("</a>")
_ADDRESS = re.compile(r"\w[.。．｡]\w|//")  # the text of a link may claim to lead elsewhere
_SPOILER_MARK = "||"

# Characters are hidden from the parser as references, which it decodes in texts but not in code:
# an `&`, the colon of a definition, which would vanish, and what is Markdown in an address. The
# bar of an escaped `\|` is followed by a private character: it is not half of a spoiler's mark.
_NO_SPOILER = "\ue000"  # no message has it
_HIDDEN_IN_ADDRESS = {character: f"&#{ord(character)};" for character in "*_~[]()"}
_HIDDEN_ADDRESS = str.maketrans({"&": "&amp;", **_HIDDEN_IN_ADDRESS})
_HIDDEN = {
    "&amp;": "&",
    "&colon;": ":",
    "&#124;": "\\|",
    **{hidden: character for character, hidden in _HIDDEN_IN_ADDRESS.items()},
}
_REFERENCE = re.compile("|".join(map(re.escape, _HIDDEN)))
_ESCAPED = re.compile(r"\\\\|\\\|")


def draw_text(text: str, paint: CodePainter | None = None) -> list[str]:
    """Return a text as parts: HTML (`Markup`), and plain texts outside of code and links.

    Each plain text has to be escaped. `paint` draws code in colours.
    """
    if len(text) > _CHARACTERS_MAX:
        return [escape(text).replace("\n", _LINE_BREAK)]
    if is_marked(text):
        drawing = _Drawing(paint)
        if drawing.draw(text) and drawing.shows_something:
            return drawing.parts
    return list(_split(text))


def draw_html(text: str) -> str:
    """Return a text as HTML."""
    return str(_NOTHING.join(draw_text(text)))


def is_marked(text: str) -> bool:
    """Return whether a text may be drawn otherwise than it was typed."""
    return _MARKUP.search(text) is not None


def has_code(text: str) -> bool:
    """Return whether a text may have blocks of code."""
    return "```" in text or "~~~" in text


def find_code(text: str) -> list[tuple[str, str]]:
    """Return the language and the code of each block that names one of `CODE_LANGUAGES`."""
    found: list[tuple[str, str]] = []
    if has_code(text):
        draw_text(text, lambda language, code: found.append((language, code)))
    return found


@dataclass(slots=True)
class _Frame:
    """An element that is not closed yet."""

    end: str  # HTML
    depth: int = 1
    spoiler: int | None = None  # the part that may open a spoiler
    start: int = 0  # the part that opens a link
    url: str = ""  # of a link


class _Drawing:
    """The parts of a text, which are added event by event."""

    def __init__(self, paint: CodePainter | None) -> None:
        self._paint = paint
        self.parts: list[str] = []
        self.shows_something = False
        self._frames = [_Frame(_NOTHING)]
        self._depth = 0
        self._blocks: list[str] = []  # the names of the outermost ones
        self._in_link = False
        self._is_raw = False  # in an address whose references are not decoded
        self._code: list[str] | None = None  # of the open block
        self._language = ""

    def draw(self, text: str) -> bool:
        """Add the parts of a text; return whether it has few enough."""
        events: Iterator[Any] = _parser.events(_hide(text))
        for number, event in enumerate(events):
            if number == _EVENTS_MAX:
                return False
            if event.__class__ is str:
                self._break(event)
                continue
            ((kind, value),) = event.items()
            if kind == "Text":
                self._add_text(value)
            elif kind == "Start":
                self._start(value)
            elif kind == "End":
                self._end(value)
            elif kind == "Code":
                self.shows_something = True
                self.parts.append(_CODE.format(_show(value)))
            else:  # raw HTML
                self._add_text(_show(value))
        if self._blocks == ["Paragraph"]:
            self.parts = self.parts[1:-1]
        return True

    def _break(self, event: str) -> None:
        if event == "Rule":
            self._begin_block("Rule")
            self.shows_something = True
            self.parts.append(_RULE)
        else:
            self.parts.append(_LINE_BREAK)

    def _add_text(self, text: str) -> None:
        if self._code is not None:
            self._code.append(text)
            return
        if self._is_raw:
            self._add_plain(_show(text))
            return
        if _SPOILER_MARK not in text:
            self._add_plain(text)
            return
        for number, piece in enumerate(text.split(_SPOILER_MARK)):
            if number:
                self._mark_spoiler()
            self._add_plain(piece)

    def _add_plain(self, text: str) -> None:
        if not text:
            return
        self.shows_something = self.shows_something or not text.isspace()
        text = text.replace(_NO_SPOILER, "")
        if self._in_link:
            self.parts.append(escape(text))
        elif "://" in text or "\n" in text:
            self.parts.extend(_split(text))
        else:
            self.parts.append(text)

    def _mark_spoiler(self) -> None:
        """Begin a spoiler, or end one. What turns out to have no end stays a text."""
        frame, parts = self._frames[-1], self.parts
        begun = frame.spoiler
        if begun is None and self._depth < DEPTH_MAX:
            frame.spoiler = len(parts)
            self._depth += 1
        elif begun is not None:
            self._forget_spoiler(frame)
            if begun < len(parts) - 1:
                parts[begun], end = _SPOILER
                parts.append(end)
                return
        self.shows_something = True
        parts.append(_SPOILER_MARK)

    def _forget_spoiler(self, frame: _Frame) -> None:
        if frame.spoiler is not None:
            frame.spoiler = None
            self._depth -= 1

    def _start(self, tag: Any) -> None:
        name: str
        value: Any
        name, value = (tag, None) if tag.__class__ is str else next(iter(tag.items()))
        if name in _BLOCKS:
            self._begin_block(name)
        if name == "CodeBlock" and value != "Indented":
            self._code, self._language = [], _find_language(value["Fenced"])
            self._frames.append(_Frame(_NOTHING, depth=0))
        elif name == "Link" or name == "Image":
            self._start_link(name, value)
        elif self._depth >= DEPTH_MAX and name not in ("Paragraph", "HtmlBlock", "CodeBlock"):
            self._skip(name)
        elif name == "List":
            opening, end = _LIST if value is None else _NUMBERED_LIST
            if value not in (None, 1):
                opening = _LIST_FROM.format(value)
            self._open(opening, _Frame(end))
        else:
            opening, end = _TAGS.get(name, _PARAGRAPH)  # indented code is a paragraph
            self._open(opening, _Frame(end, depth=0 if name in _WITHOUT_DEPTH else 1))

    def _begin_block(self, name: str) -> None:
        if len(self._frames) == 1:
            self._blocks.append(name)
        self._forget_spoiler(self._frames[-1])

    def _open(self, opening: str, frame: _Frame) -> None:
        self.parts.append(opening)
        self._frames.append(frame)
        self._depth += frame.depth

    def _skip(self, name: str) -> None:
        """Leave out an element that is nested too deeply, but not what is in it."""
        if name in _BLOCKS and self.parts and not isinstance(self.parts[-1], Markup):
            self.parts.append(_LINE_BREAK)
        self._frames.append(_Frame(_NOTHING, depth=0))

    def _start_link(self, name: str, link: Any) -> None:
        url = link["dest_url"]
        if link["link_type"] in ("Autolink", "Email"):
            self._add_plain("<")
            self._frames.append(_Frame(">", depth=0))
            self._is_raw = True
        elif self._in_link:
            self._frames.append(_Frame(_NOTHING, depth=0))
        elif self._depth < DEPTH_MAX and is_link(url):
            self._open("", _Frame(_LINK_END, start=len(self.parts), url=url))
            self._in_link = True
        else:
            end = f'{url} "{link["title"]}"' if link["title"] else url
            self.parts.append("![" if name == "Image" else "[")
            self._frames.append(_Frame(f"]({end.replace(_NO_SPOILER, '')})", depth=0))

    def _end(self, tag: Any) -> None:
        if self._code is not None:
            self._end_code(self._code)
            return
        if tag == "HtmlBlock" and self.parts[-1] is _LINE_BREAK:
            self.parts.pop()
        self._is_raw = False
        frame = self._frames.pop()
        self._forget_spoiler(frame)
        self._depth -= frame.depth
        if frame.url:
            self._end_link(frame)
        elif frame.end:
            self.parts.append(frame.end)

    def _end_code(self, code: list[str]) -> None:
        self._code = None
        self._frames.pop()
        text = _show("".join(code)).removesuffix("\n")
        self.shows_something = self.shows_something or bool(text.strip())
        if not self._language:
            self.parts.append(_CODE_BLOCK.format(text))
            return
        painted = self._paint(self._language, text) if self._paint else None
        self.parts.append(
            _CODE_BLOCK_IN.format(self._language, text if painted is None else painted)
        )

    def _end_link(self, frame: _Frame) -> None:
        """Close a link. A text that looks like an address is none, and the true one follows."""
        self._in_link = False
        self.shows_something = True
        label = "".join(part for part in self.parts[frame.start + 1 :] if part[:1] != "<")
        if not label or label == escape(frame.url):
            self.parts[frame.start :] = [_link(frame.url)]
        elif _ADDRESS.search(label):
            self.parts += [" (", _link(frame.url), ")"]
        else:
            url = escape(frame.url)
            pieces = (_LINK_TO, url, _LINK_TITLE, url, _LINK_TEXT)
            self.parts[frame.start] = _NOTHING.join(pieces)
            self.parts.append(frame.end)


def _link(url: str) -> Markup:
    url = escape(url)
    return _NOTHING.join((_LINK_TO, url, _LINK_TEXT, url, _LINK_END))


def _split(text: str) -> Iterator[str]:
    """Split a text at its links and lines."""
    end = 0
    for start, url in find_links(text):
        yield from _break_lines(text[end:start])
        yield _link(url)
        end = start + len(url)
    yield from _break_lines(text[end:])


def _break_lines(text: str) -> Iterator[str]:
    first, *others = text.split("\n")
    if first:
        yield first
    for line in others:
        yield _LINE_BREAK
        if line:
            yield line


def _find_language(info: str) -> str:
    """Return the language that a fence names, or ""."""
    word = info.split(maxsplit=1)[0] if info.strip() else ""
    return CODE_LANGUAGES.get(word.lower(), "")


def _hide(text: str) -> str:
    """Hide characters from the parser."""
    pieces, end, text = [], 0, text.replace(_NO_SPOILER, "")
    for start, url in find_links(text):
        pieces += [_hide_marks(text[end:start]), url.translate(_HIDDEN_ADDRESS)]
        end = start + len(url)
    return "".join([*pieces, _hide_marks(text[end:])])


def _hide_marks(text: str) -> str:
    text = text.replace("&", "&amp;").replace("]:", "]&colon;")
    return _ESCAPED.sub(_hide_bar, text)


def _hide_bar(escaped: re.Match[str]) -> str:
    return escaped[0] if escaped[0] == r"\\" else f"&#124;{_NO_SPOILER}"


def _show(source: str) -> str:
    """Return as it was typed what the parser has not decoded: code, HTML and addresses."""
    if "&" not in source:
        return source
    return _REFERENCE.sub(lambda found: _HIDDEN[found[0]], source.replace(_NO_SPOILER, ""))
