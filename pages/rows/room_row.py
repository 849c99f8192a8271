"""The rows of a room: in the sidebar, in the lobby and in its own header."""

import math
from dataclasses import asdict
from datetime import datetime, timedelta

from htpy import a, b, bdi, button, div, h1, i, li, p, small, span

from anonchat import Language, Room, RoomSummary, TranscriptQuestion, Typing, parse_duration

from ..http.file_paths import transcript_path
from .row import Row, unix_milliseconds
from .row_cache import DrawnRowCache
from .template import Template

_sidebar_cache = DrawnRowCache()
_card_cache = DrawnRowCache()

_SHORT_NAME_CHARACTERS = 14  # fit in two lines beside the buttons of a phone
_SHORT_TTL = timedelta(minutes=10)
_OWN_TTLS = tuple(map(parse_duration, ("1m", "10m", "1h", "6h", "24h", "7d")))

_TIME_LEFT = span(data_left="{left}", data_say="{left_text}")
_SIDEBAR = Template(
    li(
        class_="sidebar-row",
        data_room="{id}",
        data_first="{first_seq}",
        data_last="{last_seq}",
        data_last_until="{last_until}",
    )[
        a(class_="sidebar-room", href="r/{slug}")[
            b[bdi["{name}"]],
            span(class_="marks")[
                span(class_="count mention", data_mentioned=True, hidden=True)[
                    "@", span(class_="spoken")[" {mentioned}, "]
                ],
                span(class_="count", data_unread=True, hidden=True)[
                    span,
                    span(class_="spoken")[" {unread}", span(data_say="{next}", data_ends=True)],
                ],
            ],
            small["{present} · ", _TIME_LEFT],
        ],
        button(
            class_="button icon-only quiet leave",
            type="button",
            data_act="leave",
            aria_label="{leave_room}",
            title="{leave}",
        )[i(class_="icon icon-leave", aria_hidden="true")],
    ]
)
_CARD = Template(
    li(data_room="{id}")[
        a(class_="card", href="r/{slug}")[
            b[bdi["{name}"]],
            p(dir="auto")["{topic}"],
            div(class_="chips")[
                span(class_="chip")[span(class_="{dot_class}"), "{present}"],
                "{door}",
                span(class_="{lifetime_class}")[
                    i(class_="icon icon-clock", aria_hidden="true"), "{lifetime}"
                ],
            ],
            small[span(data_since="{active_at}", data_say="{active}"), " · ", _TIME_LEFT],
        ],
    ]
)
_DOOR = Template(span(class_="chip")["{door}"])
_FACTS = Template(
    div(class_="chips")[
        span(class_="chip")[i(class_="icon icon-clock", aria_hidden="true"), "{lifetime}"],
        span(class_="chip")["{listed}"],
        "{door}",
        span(class_="chip")[_TIME_LEFT],
    ]
)


def sidebar_row(summary: RoomSummary, *, language: Language) -> Row:
    """Draw one of the visitor's rooms; the script fills in the unread count."""
    return _sidebar_cache.row(
        summary.room, summary, language.code, lambda: _sidebar_row(summary, language)
    )


def _sidebar_row(summary: RoomSummary, language: Language) -> Row:
    room = summary.room
    html = _SIDEBAR.fill(
        id=room.id,
        slug=room.slug,
        name=room.name,
        first_seq=str(summary.first_seq),
        last_seq=str(room.last_seq),
        last_until=unix_milliseconds(summary.last_expiry) if summary.last_expiry else "",
        unread=language("unread"),
        next=", " + language("the next disappears in {time}", time="{}"),
        mentioned=language("you are mentioned"),
        present=describe_present(summary, language),
        leave=language("Leave"),
        leave_room=language("Leave “{room}”", room=room.name),
        **_next_expiry(summary, language),
    )
    return Row(room.id, -room.active_at.timestamp(), html)


def card_row(summary: RoomSummary, *, order: float | None, language: Language) -> Row:
    """Draw a public room of the lobby."""
    state = summary, order
    return _card_cache.row(
        summary.room, state, language.code, lambda: _card_row(summary, order, language)
    )


def _card_row(summary: RoomSummary, order: float | None, language: Language) -> Row:
    room = summary.room
    html = _CARD.fill(
        id=room.id,
        slug=room.slug,
        name=room.name,
        topic=room.topic,
        dot_class="dot" if summary.here else "dot empty",
        present=describe_present(summary, language) if summary.here else language("nobody"),
        door=_door(room, language),
        lifetime_class="chip ember" if room.message_ttl <= _SHORT_TTL else "chip",
        lifetime=describe_lifetime(room, language),
        active_at=unix_milliseconds(room.active_at),
        active=language("active {time}", time="{}"),
        **_room_end(summary, language),
    )
    return Row(room.id, order, html)


def title_row(room: Room) -> Row:
    """Draw the name and topic of a room."""
    is_long = len(room.name) > _SHORT_NAME_CHARACTERS
    html = div(class_=["title", is_long and "long"])[
        h1[bdi[room.name]],
        room.topic and p(class_="topic", dir="auto", title=room.topic)[room.topic],
    ]
    return Row("title", 0, str(html))


def composer_properties(
    room: Room, *, shortest: timedelta, language: Language
) -> dict[str, object]:
    """Return the properties of the composer that depend on the lifetime of messages, or a pause.

    `shortest` is the shortest one that a message may have.
    """
    return {
        "placeholder": language(
            "Message, gone in {time}", time=language.duration(room.message_ttl)
        ),
        "resend_within": room.message_ttl.total_seconds() * 1000,
        "paused": room.rules.paused,
        "lifetimes": [
            (int(ttl.total_seconds()), language.duration(ttl))
            for ttl in _OWN_TTLS
            if shortest <= ttl < room.message_ttl
        ],
    }


def describe_typing(room_id: str, typing: Typing) -> dict[str, object]:
    """Return who is typing in a room, for composer.js."""
    return {"room": room_id, **asdict(typing)}


def describe_question(
    question: TranscriptQuestion, room: Room, *, now: datetime, granted: bool | None = None
) -> dict[str, object]:
    """Return a question for composer.js; `granted` is how it has ended."""
    return {
        "room": room.id,
        "id": question.id,
        "author": question.author,
        "seconds": math.ceil((question.until - now).total_seconds()),
        "granted": granted,
        "href": transcript_path(room.slug, question.id) if granted else "",
    }


def facts_row(summary: RoomSummary, *, language: Language) -> Row:
    """Draw the lifetimes of a room and its messages."""
    html = _FACTS.fill(
        lifetime=describe_lifetime(summary.room, language),
        listed=language("public") if summary.room.listed else language("by link"),
        door=_door(summary.room, language),
        **_room_end(summary, language),
    )
    return Row("facts", 1, html)


def presence_row(summary: RoomSummary, *, language: Language) -> Row:
    """Draw how many members of a room are present."""
    html = span[" · ", describe_present(summary, language)]
    return Row("present", 0, str(html))


def lobby_counts_row(here: int, rooms: int, *, language: Language) -> Row:
    """Draw how many people are in public rooms, and how many public rooms there are."""
    html = span[
        language.count("{n} here", "{n} here", here),
        " · ",
        language.count("{n} room", "{n} rooms", rooms),
    ]
    return Row("hall", 0, str(html))


def describe_present(summary: RoomSummary, language: Language) -> str:
    """Return how many members of a room are present."""
    if not summary.here:
        return language("nobody here")
    return language.count("{n} here", "{n} here", summary.here)


def _door(room: Room, language: Language) -> str:
    """Say what closes the door of a room, if anything does."""
    if room.rules.locked:
        return _DOOR.fill(door=language("locked"))
    if room.rules.has_password:
        return _DOOR.fill(door=language("with a password"))
    return _DOOR.fill(door=language("by request")) if room.rules.asks else ""


def describe_lifetime(room: Room, language: Language) -> str:
    """Return how long messages live in a room."""
    return language("messages fade after {time}", time=language.duration(room.message_ttl))


def _next_expiry(summary: RoomSummary, language: Language) -> dict[str, str]:
    if summary.next_expiry is None:
        return _time_left(summary.room.expires_at, language("room ends in {time}", time="{}"))
    return _time_left(summary.next_expiry, language("next fades in {time}", time="{}"))


def _room_end(summary: RoomSummary, language: Language) -> dict[str, str]:
    text = (
        language("room ends in {time} unless somebody writes", time="{}")
        if summary.room.was_entered
        else language("room ends in {time} unless somebody joins or writes", time="{}")
    )
    return _time_left(summary.room.expires_at, text)


def _time_left(moment: datetime, text: str) -> dict[str, str]:
    return {"left": unix_milliseconds(moment), "left_text": text}
