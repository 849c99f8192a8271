"""Lifetimes of visitors, rooms and messages: those of visitors and rooms are shorter until used."""

from datetime import timedelta

from .durations import format_duration
from .entities import Post
from .errors import N_, ChatError, InvalidLifetime, InvalidMessage
from .settings import Settings

MARK_SEEN_INTERVAL = timedelta(minutes=10)
"""The longest interval between two updates of `seen_at` of visitors with an open page."""
_SEEN_INTERVAL = timedelta(hours=1)
_UNCONFIRMED_TTL = timedelta(minutes=10)
_ONCE_TTL_MAX = timedelta(hours=24)


def visitor_lifetime(settings: Settings, *, has_posted: bool) -> timedelta:
    """Return how long a visitor lives after they were last seen."""
    if has_posted:
        return settings.visitor_ttl
    return min(settings.new_visitor_ttl, settings.visitor_ttl)


def seen_interval(settings: Settings, *, has_posted: bool) -> timedelta:
    """Return the minimum interval between two writes of a visitor's `seen_at`."""
    return min(_SEEN_INTERVAL, visitor_lifetime(settings, has_posted=has_posted) / 4)


def unconfirmed_lifetime(settings: Settings) -> timedelta:
    """Return the lifetime of a new visitor whose token was not used yet."""
    return min(_UNCONFIRMED_TTL, visitor_lifetime(settings, has_posted=False))


def room_lifetime(settings: Settings, room_ttl: timedelta, *, was_entered: bool) -> timedelta:
    """Return how long a room lives after its last activity: `room_ttl` at most."""
    return room_ttl if was_entered else min(settings.new_room_ttl, room_ttl)


def check_lifetimes(
    settings: Settings, *, message_ttl: timedelta | None, room_ttl: timedelta | None
) -> None:
    """Raise `InvalidLifetime` if one of them is given and out of the bounds of the settings."""
    _check_within(message_ttl, settings.message_ttl_min, settings.message_ttl_max)
    _check_within(room_ttl, settings.message_ttl_min, settings.room_ttl_max)


def require_shorter_messages(message_ttl: timedelta, room_ttl: timedelta) -> None:
    """Raise `InvalidLifetime` if messages would outlive their room."""
    if message_ttl > room_ttl:
        raise InvalidLifetime(N_("Messages cannot outlive the room they are in."))


def check_message_lifetime(
    settings: Settings, ttl: timedelta | None, most: timedelta | None = None
) -> None:
    """Raise `InvalidMessage` if the own lifetime of a message is too short, or above `most`.

    That is the lifetime of messages in its room, or, if it is not known yet, in any room.
    """
    most = settings.message_ttl_max if most is None else most
    _check_within(ttl, min(settings.message_ttl_min, most), most, error=InvalidMessage)


def message_lifetime(post: Post, room_ttl: timedelta) -> timedelta:
    """Return the lifetime of a message in a room whose messages have the lifetime `room_ttl`."""
    ttl = post.ttl or room_ttl
    return min(ttl, _ONCE_TTL_MAX) if post.once else ttl


def _check_within(
    ttl: timedelta | None,
    least: timedelta,
    most: timedelta,
    *,
    error: type[ChatError] = InvalidLifetime,
) -> None:
    if ttl is not None and not least <= ttl <= most:
        raise error(
            N_("That has to be between {least} and {most}."),
            least=format_duration(least),
            most=format_duration(most),
        )
