"""The row of a message."""

import regex
from htpy import article, div, i, span, time
from markupsafe import Markup

from anonchat import CodeTokens, Member, Message, MessageDrawer, draw_text, is_marked

from .code import paint_with
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
        data_group="{author}",
        data_dedup="{dedup_id}",
        data_from="{posted_at}",
        data_until="{expires_at}",
    )[
        initials(),
        div(class_="body")[
            div(class_="meta")[NICKNAME, time(datetime="{posted_iso}")],
            div(class_="{text_class}", dir="auto", data_source="{source}")["{text}"],
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


def message_row(
    message: Message, drawer: MessageDrawer | None = None, tokens: CodeTokens | None = None
) -> Row:
    """Draw a message; the script adds what differs by reader: time, grouping, countdown.

    `drawer` draws what plugins draw of it; `tokens` are those of its code.
    """
    return _cache.row(message, tokens, "", lambda: _draw(message, drawer, tokens))


def _draw(message: Message, drawer: MessageDrawer | None, tokens: CodeTokens | None) -> Row:
    text_class, source, text = _draw_content(message, drawer, tokens)
    html = _MESSAGE.fill(
        author=message.author,
        dedup_id=message.dedup_id,
        posted_at=unix_milliseconds(message.posted_at),
        posted_iso=message.posted_at.isoformat(),
        expires_at=unix_milliseconds(message.expires_at),
        text_class=text_class,
        source=source,
        text=text,
        **describe_person(message.nickname, message.badge, message.author),
    )
    return Row(str(message.seq), message.seq, html)


def _draw_content(
    message: Message, drawer: MessageDrawer | None, tokens: CodeTokens | None
) -> tuple[str, str, Markup]:
    """Return of the element that has the text: class, text as typed if it differs, and content."""
    text = message.text
    if drawer and (drawn := drawer.draw(message)) is not None:
        return "text drawn", "", drawn
    if _is_emoji(text):
        return "text emoji", "", join_html([text])
    parts = draw_text(text, paint_with(tokens) if tokens else None)
    html = join_html(drawer.mark(parts) if drawer else parts)
    return ("text drawn markdown", text, html) if is_marked(text) else ("text", "", html)


def _is_emoji(text: str) -> bool:
    return len(text) <= _EMOJI_TEXT_MAX and bool(regex.match(EMOJI_ONLY, text))


def pending_message_html(member: Member) -> str:
    """Draw a message that is being sent; the script fills in the text."""
    return _PENDING.fill(**describe_person(member.nickname, member.badge, member.author))
