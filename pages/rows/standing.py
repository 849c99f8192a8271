"""What a member is told of their own standing in a room."""

from datetime import datetime

from anonchat import FOR_GOOD, Member, Room, find_mute, role_of

from .row import unix_milliseconds

FOREVER = -1
"""Stands for the end of a mute that lasts as long as the room."""


def standing_properties(member: Member, room: Room, *, now: datetime) -> dict[str, object]:
    """Return the role, and when a mute ends in milliseconds: 0 for none, or `FOREVER`."""
    until = find_mute(member.muted_until, now)
    end = FOREVER if until == FOR_GOOD else int(unix_milliseconds(until)) if until else 0
    return {"role": role_of(member, room), "muted_until": end}
