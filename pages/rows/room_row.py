"""The rows of a room: in the sidebar, in the lobby and in its own header."""

from datetime import datetime, timedelta

from htpy import Element, a, b, bdi, button, div, h1, i, li, p, small, span

from anonchat import Room, RoomSummary

from ..i18n.language import Language
from .row import Row, unix_milliseconds
from .row_cache import DrawnRowCache

_sidebar_cache = DrawnRowCache()
_card_cache = DrawnRowCache()

_SHORT_TTL = timedelta(minutes=10)


def sidebar_row(summary: RoomSummary, *, language: Language) -> Row:
    """Draw one of the visitor's rooms; the script fills in the unread count."""
    return _sidebar_cache.row(
        summary.room, summary, language.code, lambda: _sidebar_row(summary, language)
    )


def _sidebar_row(summary: RoomSummary, language: Language) -> Row:
    room = summary.room
    html = li(
        class_="sidebar-row",
        data_room=room.id,
        data_first=str(summary.first_seq),
        data_last=str(room.last_seq),
    )[
        a(class_="sidebar-room", href=f"r/{room.slug}")[
            b[bdi[room.name]],
            span(class_="count", data_unread=True, hidden=True)[
                span, span(class_="spoken")[" ", language("unread")]
            ],
            small[_present_text(summary, language), " · ", _next_expiry(summary, language)],
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


def card_row(summary: RoomSummary, *, order: float | None, language: Language) -> Row:
    """Draw a public room of the lobby."""
    state = summary, order
    return _card_cache.row(
        summary.room, state, language.code, lambda: _card_row(summary, order, language)
    )


def _card_row(summary: RoomSummary, order: float | None, language: Language) -> Row:
    room = summary.room
    html = li(data_room=room.id)[
        a(class_="card", href=f"r/{room.slug}")[
            b[bdi[room.name]],
            p(dir="auto")[room.topic],
            div(class_="chips")[
                span(class_="chip")[
                    span(class_="dot" if summary.here else "dot empty"),
                    _present_text(summary, language) if summary.here else language("nobody"),
                ],
                span(class_="chip ember" if room.message_ttl <= _SHORT_TTL else "chip")[
                    i(class_="icon icon-clock", aria_hidden="true"),
                    _message_lifetime(room, language),
                ],
            ],
            small[
                span(
                    data_since=unix_milliseconds(room.active_at),
                    data_say=language("active {time}", time="{}"),
                ),
                " · ",
                _room_end(summary, language),
            ],
        ],
    ]
    return Row(room.id, order, str(html))


def title_row(room: Room) -> Row:
    """Draw the name and topic of a room."""
    html = div(class_="title")[
        h1[bdi[room.name]],
        room.topic and p(class_="topic", dir="auto", title=room.topic)[room.topic],
    ]
    return Row("title", 0, str(html))


def composer_properties(room: Room, *, language: Language) -> dict[str, object]:
    """Return the properties of the composer that depend on the lifetime of messages."""
    return {
        "placeholder": language(
            "Message, gone in {time}", time=language.duration(room.message_ttl)
        ),
        "resend_within": room.message_ttl.total_seconds() * 1000,
    }


def facts_row(summary: RoomSummary, *, language: Language) -> Row:
    """Draw the lifetimes of a room and its messages."""
    html = div(class_="chips")[
        span(class_="chip")[
            i(class_="icon icon-clock", aria_hidden="true"),
            _message_lifetime(summary.room, language),
        ],
        span(class_="chip")[language("public") if summary.room.listed else language("by link")],
        span(class_="chip")[_room_end(summary, language)],
    ]
    return Row("facts", 1, str(html))


def presence_row(summary: RoomSummary, *, language: Language) -> Row:
    """Draw how many members of a room are present."""
    html = span[" · ", _present_text(summary, language)]
    return Row("present", 0, str(html))


def lobby_counts_row(here: int, rooms: int, *, language: Language) -> Row:
    """Draw how many people are in public rooms, and how many public rooms there are."""
    html = span[
        language.count("{n} here", "{n} here", here),
        " · ",
        language.count("{n} room", "{n} rooms", rooms),
    ]
    return Row("hall", 0, str(html))


def _present_text(summary: RoomSummary, language: Language) -> str:
    if not summary.here:
        return language("nobody here")
    return language.count("{n} here", "{n} here", summary.here)


def _message_lifetime(room: Room, language: Language) -> str:
    return language("messages fade after {time}", time=language.duration(room.message_ttl))


def _next_expiry(summary: RoomSummary, language: Language) -> Element:
    if summary.next_expiry is None:
        return _time_left(summary.room.expires_at, language("room ends in {time}", time="{}"))
    return _time_left(summary.next_expiry, language("next fades in {time}", time="{}"))


def _room_end(summary: RoomSummary, language: Language) -> Element:
    text = (
        language("room ends in {time} unless somebody writes", time="{}")
        if summary.room.was_entered
        else language("room ends in {time} unless somebody joins or writes", time="{}")
    )
    return _time_left(summary.room.expires_at, text)


def _time_left(moment: datetime, text: str) -> Element:
    return span(data_left=unix_milliseconds(moment), data_say=text)
