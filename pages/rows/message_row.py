"""The row of a message."""

from collections.abc import Iterator

import regex
from htpy import a, article, button, div, i, small, span, time
from markupsafe import Markup

from anonchat import Member, Message, MessageDrawer, Reaction

from .person import NICKNAME, describe_person, initials
from .row import Row, unix_milliseconds
from .row_cache import DrawnRowCache
from .template import Template, join_html

_cache = DrawnRowCache()

_MESSAGE = Template(
    article(
        class_="message",
        style="{hue}",
        tabindex="-1",
        data_id="{id}",
        data_group="{author}",
        data_dedup="{dedup_id}",
        data_kind="{kind}",
        data_mentions="{mentions}",
        data_from="{posted_at}",
        data_until="{expires_at}",
    )[
        initials(),
        div(class_="body")[
            div(class_="meta")[NICKNAME, time(datetime="{posted_iso}")],
            "{reply}",
            div(class_="{text_class}", dir="auto", data_source="{source}")["{text}"],
            "{edited}",
            "{reactions}",
        ],
        span(class_="left", role="timer", data_left="{expires_at}"),
    ]
)
_PENDING = Template(
    article(class_="message", style="{hue}")[
        initials(),
        div(class_="body")[
            div(class_="meta")[NICKNAME, i(class_="icon icon-clock", aria_hidden="true")],
            div(class_="text", dir="auto"),
        ],
    ]
)
_REPLY = Template(div(class_="reply", data_reply="{id}"))
_EDITED = Template(small(class_="edited")).fill()
_REACTIONS = Template(div(class_="reactions")["{reactions}"])
_REACTION = Template(
    button(
        class_="reaction",
        type="button",
        tabindex="-1",  # the arrow keys lead to it
        data_emoji="{emoji}",
        data_authors="{authors}",
        aria_pressed="false",
    )["{emoji} {count}"]
)
_LINK_TO = Template(a(href="{url}", target="_blank", rel="noopener noreferrer nofollow")["{url}"])

# Non-ASCII brackets, quotes and sentence punctuation end a URL: many scripts put no space after
# them, Chinese none after its dash of two characters. ASCII punctuation and the apostrophe ’ can be
# part of a URL.
_DELIMITERS = r"""[
    \s \p{Bidi_Control} \u200B \uFEFF < > " ` { } | \\ ^ \u2026 \u275B-\u275E \u2E3A
    [[\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Quotation_Mark}\p{Terminal_Punctuation}]--\p{ASCII}--\u2019]
]"""
_LINK = regex.compile(
    rf"https?://(?:(?!——)[^{_DELIMITERS}])+", regex.V1 | regex.VERBOSE | regex.IGNORECASE
)
# Punctuation at the end of a URL belongs to the sentence, except connectors (_) and characters that
# URLs often end with.
_SENTENCE_PUNCTUATION = r"[.,;:!?'(\[\p{Cf}[\p{P}--\p{ASCII}--\p{Pc}]]"
_TRAILING = regex.compile(rf"(?<!{_SENTENCE_PUNCTUATION}){_SENTENCE_PUNCTUATION}++\Z", regex.V1)
_BRACKETS = {")": "(", "]": "["}
_APOSTROPHES = {"'": "'", "‘": "’", "‚": "’", "’": "’"}  # closing quotation mark by opening one
_EMPHASIS = "*_~"
_EMOJI_TEXT_MAX = 40
_TAGS = "\U000e0020-\U000e007f"  # spell the names of some flags
_ONE_EMOJI = (
    rf"(?:\p{{Emoji_Presentation}}|\p{{Emoji}}(?=[\uFE0F\p{{Emoji_Modifier}}]))"
    rf"[\uFE0F\p{{Emoji_Modifier}}]?[{_TAGS}]*"
)
EMOJI_ONLY = (
    rf"^(?:(?:\p{{RI}}{{2}}|[0-9#*]\uFE0F?\u20E3|{_ONE_EMOJI}(?:\u200D{_ONE_EMOJI})*)\s*){{1,3}}$"
)
"""Matches a text of one to three emoji, in Python's `regex` and in JavaScript with the flag `u`."""


def message_row(message: Message, drawer: MessageDrawer | None = None) -> Row:
    """Draw a message; the script adds what differs by reader: time, grouping, countdown, quotes.

    `drawer` draws what plugins draw of it.
    """
    return _cache.row(message, None, "", lambda: _draw(message, drawer))


def _draw(message: Message, drawer: MessageDrawer | None) -> Row:
    text_class, text, source = _draw_content(message, drawer)
    html = _MESSAGE.fill(
        id=message.id,
        author=message.author,
        kind=message.kind,
        mentions=" ".join(message.mentions),
        source=source,
        reply=_REPLY.fill(id=message.reply_to) if message.reply_to else "",
        edited=_EDITED if message.edited else "",
        reactions=_draw_reactions(message.reactions),
        dedup_id=message.dedup_id,
        posted_at=unix_milliseconds(message.posted_at),
        posted_iso=message.posted_at.isoformat(),
        expires_at=unix_milliseconds(message.expires_at),
        text_class=text_class,
        text=text,
        **describe_person(message.nickname, message.badge, message.author),
    )
    return Row(str(message.seq), message.seq, html)


def _draw_content(message: Message, drawer: MessageDrawer | None) -> tuple[str, Markup, str]:
    """Return class and content of the element that has the text, and the text if it differs."""
    if drawer and (drawn := drawer.draw(message)) is not None:
        return "text drawn", drawn, ""
    if _is_emoji(message.text):
        return "text emoji", join_html([message.text]), ""
    parts = list(_link(message.text))
    marked = list(drawer.mark(parts)) if drawer else parts
    return "text", join_html(marked), "" if marked == parts else message.text


def _draw_reactions(reactions: tuple[Reaction, ...]) -> str:
    """Draw a button for each; the script adds what differs by reader: mine, and the nicknames."""
    if not reactions:
        return ""
    drawn = (
        _REACTION.fill(emoji=each.emoji, count=str(each.count), authors=" ".join(each.authors))
        for each in reactions
    )
    return _REACTIONS.fill(reactions=join_html(drawn))


def _is_emoji(text: str) -> bool:
    return len(text) <= _EMOJI_TEXT_MAX and bool(regex.match(EMOJI_ONLY, text))


def pending_message_html(member: Member) -> str:
    """Draw a message that is being sent; the script fills in the text."""
    return _PENDING.fill(**describe_person(member.nickname, member.badge, member.author))


def _link(text: str) -> Iterator[str]:
    """Split a text into plain parts and links; only http and https URLs are links."""
    end = 0
    for match in _LINK.finditer(text):
        url = _trim(match[0], before=text[max(0, match.start() - 1) : match.start()])
        if url.endswith("://"):
            continue
        yield text[end : match.start()]
        yield _LINK_TO.fill(url=url)
        end = match.start() + len(url)
    yield text[end:]


def _trim(url: str, *, before: str) -> str:
    """Return a URL without the characters that belong to the sentence around it.

    It ends at a closing bracket that it did not open, and at the mark that closes a quotation or
    emphasis opened by `before`, the character in front of it.
    """
    if before in _APOSTROPHES:
        url = url.partition(_APOSTROPHES[before])[0]
    url = _TRAILING.sub("", url[: _find_unopened(url)])
    return url.rstrip(before) if before and before in _EMPHASIS else url


def _find_unopened(url: str) -> int | None:
    """Return the index of the first closing bracket without an opening one."""
    opened: list[str] = []
    for index, character in enumerate(url):
        if character in "([":
            opened.append(character)
        elif character in _BRACKETS and (not opened or opened.pop() != _BRACKETS[character]):
            return index
    return None
