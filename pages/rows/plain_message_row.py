"""The row of a message on a page without scripts: with its times, drawn for one reader."""

from datetime import datetime, timedelta

from htpy import article, button, div, form, input, small, span, time
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
            "{once}",
            "{edited}",
            "{reactions}",
        ],
    ]
)
_REPLY = Template(div(class_="reply", dir="auto")["{text}"])
_EDITED = Template(small(class_="edited")["{text}"])
_ONCE = Template(div(class_="once")["{text}"])
_OPEN_ONCE = Template(
    form(class_="once", method="post", action="{path}")[
        input(type="hidden", name="seq", value="{seq}"),
        button(type="submit", class_="open-once")["{text}"],
    ]
)
_REACTIONS = Template(div(class_="reactions")["{reactions}"])
_REACTION = Template(span(class_="reaction")["{emoji} {count}"])
_MINUTE = timedelta(minutes=1)
_SOON = timedelta(minutes=1)


def plain_message_row(
    message: Message,
    *,
    reader: Member,
    answered: str | None,
    opening_path: str,
    now: datetime,
    language: Language,
    drawer: MessageDrawer | None = None,
    tokens: CodeTokens | None = None,
) -> Markup:
    """Draw a message for a member.

    `answered` is what is shown of the message that it answers, `None` if it answers none. The form
    that opens it once is posted to `opening_path`. `drawer` draws what plugins draw of it; `tokens`
    are those of its code.
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
        once=_draw_once(message, reader, opening_path, language) if message.once else "",
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


def _draw_once(message: Message, reader: Member, path: str, language: Language) -> Markup:
    """Draw the button that opens it, or who has."""
    if reader.author in message.readers:
        return _OPEN_ONCE.fill(path=path, seq=str(message.seq), text=language("Open once"))
    if reader.author in message.openers:
        return _ONCE.fill(text=language("You have opened it."))
    if reader.author != message.author:
        return _ONCE.fill(text=language("For those who were here when it was posted, once."))
    count = message.opened
    everybody = count + len(message.readers)
    return _ONCE.fill(text=language("Once: opened by {n} of {all}", n=count, all=everybody))


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
