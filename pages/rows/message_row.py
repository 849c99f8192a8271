"""How a message looks."""

import re
from collections.abc import Iterator

from htpy import Element, a, article, div, i, span, time

from anonchat import Member, Message

from ..live.feeds import Row
from .moment import milliseconds
from .person import hue, initials, signature

_LINK = re.compile(r"https?://[^\s<>\"'`{}|\\^]+", re.IGNORECASE)
_TRAILING = ".,;:!?…)]»”’*_~"


def message_row(message: Message) -> Row:
    """Draw a message; the list adds what depends on the reader: clock, neighbours, time left."""
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
        span(class_="left", data_left=milliseconds(message.expires_at)),
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
        address = match[0].rstrip(_TRAILING)
        if address.endswith("://"):
            continue
        yield text[end : match.start()]
        yield a(href=address, target="_blank", rel="noopener noreferrer nofollow")[address]
        end = match.start() + len(address)
    yield text[end:]
