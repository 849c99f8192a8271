"""The row of a message on a page without scripts: with its times, drawn for one reader."""

from datetime import datetime, timedelta

from htpy import article, div, small, span, time
from markupsafe import Markup

from anonchat import CodeTokens, Language, Member, Message, MessageDrawer

from .message_row import draw_content
from .person import NICKNAME, describe_person, initials
from .template import Template, join_html

_MESSAGE = Template(
    article(class_="{class_}", style="{hue}")[
        initials(),
        div(class_="body")[
            div(class_="meta")[
                NICKNAME, time(datetime="{posted_iso}")["{posted}"], small(class_="until")["{left}"]
            ],
            "{reply}",
            div(class_="{text_class}", dir="auto")["{text}"],
            "{edited}",
            "{reactions}",
        ],
    ]
)
_REPLY = Template(div(class_="reply", dir="auto")["{text}"])
_EDITED = Template(small(class_="edited")["{text}"])
_REACTIONS = Template(div(class_="reactions")["{reactions}"])
_REACTION = Template(span(class_="reaction")["{emoji} {count}"])
_MINUTE = timedelta(minutes=1)
_SOON = timedelta(minutes=1)


def plain_message_row(
    message: Message,
    *,
    reader: Member,
    answered: str | None,
    now: datetime,
    language: Language,
    drawer: MessageDrawer | None = None,
    tokens: CodeTokens | None = None,
) -> Markup:
    """Draw a message for a member.

    `answered` is what is shown of the message that it answers, `None` if it answers none. `drawer`
    draws what plugins draw of it; `tokens` are those of its code.
    """
    text_class, _, text = draw_content(message, drawer, tokens)
    left = message.expires_at - now
    return _MESSAGE.fill(
        class_=_classes(message, reader, left),
        posted=_format_time(message.posted_at, now),
        posted_iso=message.posted_at.isoformat(),
        reply="" if answered is None else _REPLY.fill(text=answered),
        text_class=text_class,
        text=text,
        edited=_EDITED.fill(text=language("edited")) if message.edited else "",
        reactions=_draw_reactions(message),
        left=language("disappears in {time}", time=language.duration(_round_up(left))),
        **describe_person(message.nickname, message.badge, message.author),
    )


def _classes(message: Message, reader: Member, left: timedelta) -> str:
    classes = ["message first"]
    if reader.author in message.mentions:
        classes.append("mentioned")
    if left <= _SOON:
        classes.append("soon")
    return " ".join(classes)


def _draw_reactions(message: Message) -> str:
    if not message.reactions:
        return ""
    drawn = (_REACTION.fill(emoji=each.emoji, count=str(each.count)) for each in message.reactions)
    return _REACTIONS.fill(reactions=join_html(drawn))


def _format_time(moment: datetime, now: datetime) -> str:
    """Return a time in UTC, with its date if that is another one: no script knows the zone."""
    return f"{moment:%H:%M} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def _round_up(left: timedelta) -> timedelta:
    """Return a duration in whole minutes, or in seconds if it is shorter than one."""
    return left if left < _MINUTE else -(-left // _MINUTE) * _MINUTE
