"""How a message looks."""

import re
from collections.abc import Iterator

from htpy import Element, a, article, div, i, span, time

from anonchat import Member, Message

from .drawn import Drawn
from .moment import milliseconds
from .person import hue, initials, signature
from .row import Row

_drawn = Drawn()

_LINK = re.compile(r"https?://[^\s<>\"'`{}|\\^]+", re.IGNORECASE)
_TRAILING = ".,;:!?…»”’*_~"
_BRACKETS = {")": "(", "]": "["}


def message_row(message: Message) -> Row:
    """Draw a message; the list adds what depends on the reader: clock, neighbours, time left."""
    return _drawn.row(message, None, "", lambda: _draw(message))


def _draw(message: Message) -> Row:
    html = article(
        class_="message",
        style=hue(message.author),
        tabindex="-1",
        data_group=message.author,
        data_dedup=message.dedup_id,
        data_from=milliseconds(message.posted_at),
        data_until=milliseconds(message.expires_at),
    )[
        initials(message.nickname, message.author),
        div(class_="body")[
            div(class_="meta")[
                signature(message.nickname, message.badge),
                time(datetime=message.posted_at.isoformat()),
            ],
            div(class_="text", dir="auto")[list(_link(message.text))],
        ],
        span(class_="left", role="timer", data_left=milliseconds(message.expires_at)),
    ]
    return Row(str(message.seq), message.seq, str(html))


def pending_row(member: Member) -> str:
    """Draw the message that a member is just sending; the text is filled in on the screen."""
    return str(
        article(class_="message first", style=hue(member.author))[
            initials(member.nickname, member.author),
            div(class_="body")[
                div(class_="meta")[
                    signature(member.nickname, member.badge),
                    i(class_="icon icon-clock", aria_hidden="true"),
                ],
                div(class_="text", dir="auto"),
            ],
        ]
    )


def _link(text: str) -> Iterator[str | Element]:
    """Part a text into plain pieces and links; only http and https are links."""
    end = 0
    for match in _LINK.finditer(text):
        address = _trim(match[0])
        if address.endswith("://"):
            continue
        yield text[end : match.start()]
        yield a(href=address, target="_blank", rel="noopener noreferrer nofollow")[address]
        end = match.start() + len(address)
    yield text[end:]


def _trim(address: str) -> str:
    """Return an address without what belongs to the sentence around it."""
    unopened = {end: address.count(end) - address.count(begin) for end, begin in _BRACKETS.items()}
    length = len(address)
    while length:
        last = address[length - 1]
        if unopened.get(last, 0) > 0:
            unopened[last] -= 1
        elif last not in _TRAILING:
            break
        length -= 1
    return address[:length]
