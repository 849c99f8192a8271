"""How a room looks: in the rail, in the lobby, and what its own head says of it."""

from datetime import datetime, timedelta

from htpy import Element, a, b, bdi, button, div, i, li, p, small, span

from anonchat import Glance

from ..language import Language
from .drawn import Drawn
from .moment import milliseconds
from .row import Row

_in_rail = Drawn()
_as_card = Drawn()

_SOON = timedelta(minutes=10)


def rail_row(glance: Glance, *, language: Language) -> Row:
    """Draw one of the reader's own rooms; the list knows what is unread."""
    return _in_rail.row(glance.room, glance, language.code, lambda: _rail_row(glance, language))


def _rail_row(glance: Glance, language: Language) -> Row:
    room = glance.room
    html = li(
        class_="rail-row",
        data_room=room.id,
        data_first=str(glance.first_seq),
        data_last=str(room.last_seq),
    )[
        a(class_="rail-room", href=f"/r/{room.slug}")[
            b[bdi[room.name]],
            span(class_="count", data_unread=True, hidden=True)[
                span, span(class_="hidden")[" ", language("unread")]
            ],
            small[_here(glance, language), " · ", _next(glance, language)],
        ],
        button(
            class_="button icon-only quiet leave",
            type="button",
            data_act="leave",
            aria_label=language("Leave “{room}”", room=room.name),
            title=language("Leave"),
        )[i(class_="icon icon-leave", aria_hidden="true")],
    ]
    return Row(room.id, -room.active_at.timestamp(), str(html))


def card_row(glance: Glance, *, order: float | None, language: Language) -> Row:
    """Draw a public room."""
    state = glance, order
    return _as_card.row(
        glance.room, state, language.code, lambda: _card_row(glance, order, language)
    )


def _card_row(glance: Glance, order: float | None, language: Language) -> Row:
    room = glance.room
    html = li(data_room=room.id)[
        a(class_="card", href=f"/r/{room.slug}")[
            b[bdi[room.name]],
            p(dir="auto")[room.topic],
            div(class_="chips")[
                span(class_="chip")[
                    span(class_="dot" if glance.here else "dot empty"),
                    _here(glance, language) if glance.here else language("nobody"),
                ],
                span(class_="chip ember" if room.message_ttl <= _SOON else "chip")[
                    i(class_="icon icon-clock", aria_hidden="true"),
                    language("fades in {time}", time=language.duration(room.message_ttl)),
                ],
            ],
            small[
                span(
                    data_since=milliseconds(room.active_at),
                    data_say=language("active {time}", time="{}"),
                ),
                " · ",
                _left(room.expires_at, language("ends in {time}", time="{}")),
            ],
        ],
    ]
    return Row(room.id, order, str(html))


def facts_row(glance: Glance, *, language: Language) -> Row:
    """Draw what the members of a room see of its life."""
    html = div(class_="chips")[
        span(class_="chip")[
            i(class_="icon icon-clock", aria_hidden="true"),
            language("messages live {time}", time=language.duration(glance.room.message_ttl)),
        ],
        span(class_="chip", title=_unless(glance, language))[
            _ends(glance.room.expires_at, language)
        ],
    ]
    return Row("facts", 0, str(html))


def present_row(glance: Glance, *, language: Language) -> Row:
    """Draw how many members of a room are here."""
    html = span[" · ", _here(glance, language)]
    return Row("present", 0, str(html))


def hall_row(here: int, rooms: int, *, language: Language) -> Row:
    """Draw how much is going on."""
    html = span[
        language.count("{n} here", "{n} here", here),
        " · ",
        language.count("{n} room", "{n} rooms", rooms),
    ]
    return Row("hall", 0, str(html))


def _here(glance: Glance, language: Language) -> str:
    if not glance.here:
        return language("nobody here")
    return language.count("{n} here", "{n} here", glance.here)


def _next(glance: Glance, language: Language) -> Element:
    if glance.next_expiry is None:
        return _ends(glance.room.expires_at, language)
    return _left(glance.next_expiry, language("next fades in {time}", time="{}"))


def _unless(glance: Glance, language: Language) -> str:
    if glance.room.was_entered:
        return language("unless somebody writes")
    return language("unless somebody else comes in: then it lives longer")


def _ends(moment: datetime, language: Language) -> Element:
    return _left(moment, language("room ends in {time}", time="{}"))


def _left(moment: datetime, say: str) -> Element:
    return span(data_left=milliseconds(moment), data_say=say)
