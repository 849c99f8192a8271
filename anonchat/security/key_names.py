"""The names of keys: of rooms, of their texts, of visitors, and of spans of expiry times."""

from datetime import UTC, datetime, timedelta

SPAN = timedelta(seconds=30)
"""Messages that expire within the same span share its key. A span is short enough that the rest of
it and the janitor's interval together fit into the promised minute."""

_SPAN_PREFIX = "span "


def room_key_name(room_id: str) -> str:
    """Return the name of the key of a room."""
    return f"room {room_id}"


def texts_key_name(texts_key_id: str) -> str:
    """Return the name of the key of a room's name, topic and slug, until one of them changes."""
    return f"texts {texts_key_id}"


def list_texts_keys(texts_key_id: str) -> list[str]:
    """Return the name of that key; none for a room of an earlier release, before its first change.

    Texts of that room are encrypted with the room's key alone.
    """
    return [texts_key_name(texts_key_id)] if texts_key_id else []


def room_key_names(room_id: str, texts_key_id: str) -> list[str]:
    """Return the names of the keys that decrypt the texts of a room together."""
    return [room_key_name(room_id), *list_texts_keys(texts_key_id)]


def visitor_key_name(visitor_id: str) -> str:
    """Return the name of the key of a visitor."""
    return f"visitor {visitor_id}"


def is_row_key(name: str) -> bool:
    """Return whether a key of this name belongs to a room or a visitor."""
    return name.startswith(("room ", "texts ", "visitor "))


def span_at(moment: datetime) -> int:
    """Return the number of the span that contains `moment`."""
    return int(moment.timestamp() // SPAN.total_seconds())


def span_bounds(number: int) -> tuple[datetime, datetime]:
    """Return the start of a span (inclusive) and its end (exclusive)."""
    begin = datetime.fromtimestamp(number * SPAN.total_seconds(), UTC)
    return begin, begin + SPAN


def span_key_name(number: int) -> str:
    """Return the name of the first key of a span, which prefixes the names of the others."""
    return f"{_SPAN_PREFIX}{number}"


def is_span_key(name: str) -> bool:
    """Return whether a key of this name belongs to a span."""
    return name.startswith(_SPAN_PREFIX)


def span_number(name: str) -> int:
    """Return the number of the span that the key of this name belongs to."""
    return int(name.split()[1])


def key_generation(name: str) -> int:
    """Return the generation of a span's key; each deletion starts a new generation.

    >>> [key_generation(name) for name in ("span 63", "span 63 2", "span 63 2 n1")]
    [0, 2, 2]
    """
    _, _, generation, *_ = [*name.split(), "0"]
    return int(generation)
