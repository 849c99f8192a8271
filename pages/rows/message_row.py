"""How a message looks."""

from collections.abc import Iterator

import regex
from htpy import Element, a, article, div, i, span, time

from anonchat import Member, Message

from .drawn import Drawn
from .moment import milliseconds
from .person import hue, initials, signature
from .row import Row

_drawn = Drawn()

# Brackets, quotes and punctuation that ends sentences, in any script, are no part of an address:
# many scripts write on after them without a space. ASCII is another matter, and an apostrophe too.
_ENDS = r"""[
    \s \p{Bidi_Control} \u200B \uFEFF < > " ` { } | \\ ^ \u2026
    [[\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Quotation_Mark}\p{Terminal_Punctuation}]--\p{ASCII}--\u2019]
]"""
_LINK = regex.compile(rf"https?://[^{_ENDS}]+", regex.V1 | regex.VERBOSE | regex.IGNORECASE)
# Belongs to the sentence if nothing of the address follows: punctuation, but connectors (_) and
# what often ends an address.
_SENTENCE = r"[.,;:!?'(\[\p{Cf}[\p{P}--\p{ASCII}--\p{Pc}]]"
_TRAILING = regex.compile(rf"(?<!{_SENTENCE}){_SENTENCE}++\Z", regex.V1)
_BRACKETS = {")": "(", "]": "["}
_APOSTROPHES = {"'": "'", "‘": "’", "‚": "’", "’": "’"}  # what closes a quotation, by what opens it
_EMPHASIS = "*_~"


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
        address = _trim(match[0], before=text[max(0, match.start() - 1) : match.start()])
        if address.endswith("://"):
            continue
        yield text[end : match.start()]
        yield a(href=address, target="_blank", rel="noopener noreferrer nofollow")[address]
        end = match.start() + len(address)
    yield text[end:]


def _trim(address: str, *, before: str) -> str:
    """Return an address without what belongs to the sentence around it.

    A bracket that the address does not open ends it; so does what closes a quotation or emphasis
    that was opened right `before` it.
    """
    if before in _APOSTROPHES:
        address = address.partition(_APOSTROPHES[before])[0]
    address = _TRAILING.sub("", address[: _find_unopened(address)])
    return address.rstrip(before) if before and before in _EMPHASIS else address


def _find_unopened(address: str) -> int | None:
    """Return where the first closing bracket stands that nothing opens."""
    opened: list[str] = []
    for place, character in enumerate(address):
        if character in "([":
            opened.append(character)
        elif character in _BRACKETS and (not opened or opened.pop() != _BRACKETS[character]):
            return place
    return None
