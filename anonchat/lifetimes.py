"""Lifetimes of visitors and rooms, which are shorter until they are used."""

from datetime import timedelta

from .settings import Settings


def visitor_lifetime(settings: Settings, *, has_posted: bool) -> timedelta:
    """Return how long a visitor lives after they were last seen."""
    if has_posted:
        return settings.visitor_ttl
    return min(settings.new_visitor_ttl, settings.visitor_ttl)


def room_lifetime(settings: Settings, room_ttl: timedelta, *, was_entered: bool) -> timedelta:
    """Return how long a room lives after its last activity: `room_ttl` at most."""
    return room_ttl if was_entered else min(settings.new_room_ttl, room_ttl)
