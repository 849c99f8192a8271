"""The row of a message."""

import regex
from htpy import article, button, div, i, small, span, time
from markupsafe import Markup

from anonchat import CodeTokens, Member, Message, MessageDrawer, Reaction, draw_text, is_marked

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
        data_id="{id}",
        data_group="{author}",
        data_dedup="{dedup_id}",
        data_revision="{revision}",
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
            "{once}",
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
_ONCE = Template(div(class_="once", data_readers="{readers}", data_openers="{openers}"))
_OPENED = Template(div(class_="{text_class}", dir="auto")["{text}"])
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
    """Draw a message; the script adds what differs by reader: time, grouping, countdown, quotes.

    `drawer` draws what plugins draw of it; `tokens` are those of its code.
    """
    return _cache.row(message, tokens, "", lambda: _draw(message, drawer, tokens))


def _draw(message: Message, drawer: MessageDrawer | None, tokens: CodeTokens | None) -> Row:
    text_class, source, text = draw_content(message, drawer, tokens)
    html = _MESSAGE.fill(
        id=message.id,
        kind=message.kind,
        mentions=" ".join(message.mentions),
        reply=_REPLY.fill(id=message.reply_to) if message.reply_to else "",
        once=_draw_readers(message) if message.once else "",
        edited=_EDITED if message.edited else "",
        reactions=_draw_reactions(message.reactions),
        author=message.author,
        dedup_id=message.dedup_id,
        revision=str(message.revision),
        posted_at=unix_milliseconds(message.posted_at),
        posted_iso=message.posted_at.isoformat(),
        expires_at=unix_milliseconds(message.expires_at),
        text_class=text_class,
        source=source,
        text=text,
        **describe_person(message.nickname, message.badge, message.author),
    )
    return Row(str(message.seq), message.seq, html)


def draw_content(
    message: Message, drawer: MessageDrawer | None, tokens: CodeTokens | None
) -> tuple[str, str, Markup]:
    """Return of the element that has the text: class, text as typed if it differs, and content."""
    if message.once:
        return "text withheld", "", join_html([])
    if drawer and (drawn := drawer.draw(message)) is not None:
        return "text drawn", "", drawn
    return _draw_text(message.text, drawer, tokens)


def _draw_text(
    text: str, drawer: MessageDrawer | None = None, tokens: CodeTokens | None = None
) -> tuple[str, str, Markup]:
    if _is_emoji(text):
        return "text emoji", "", join_html([text])
    parts = list(draw_text(text, paint_with(tokens) if tokens else None))
    marked = list(drawer.mark(parts)) if drawer else parts
    if is_marked(text):
        return "text drawn markdown", text, join_html(marked)
    return "text", "" if marked == parts else text, join_html(marked)


def _draw_readers(message: Message) -> str:
    """Draw who can open it and who has; the script adds what differs by reader."""
    return _ONCE.fill(readers=" ".join(message.readers), openers=" ".join(message.openers))


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


def opened_html(text: str) -> str:
    """Draw the text of a message that its reader has opened; plugins do not get it."""
    text_class, _, drawn = _draw_text(text)
    return _OPENED.fill(text_class=text_class, text=drawn)
