"""Fair shares of the posts that one room takes, so that no few members can silence the others."""

from .fair_share import fair_share, free_needed
from .limits import Limits, refusal
from .rates import Rate


class RoomPostShares:
    """Bounds the posts of a room, and of each member to a fair share of what is left of them.

    While the room's limit is far away, a member may post as often as their own limit says. The
    closer it comes, the less one may have posted in the last span to go on: whoever has posted
    less than the others gets through when the others have to wait.
    """

    def __init__(self, limits: Limits, rate: Rate) -> None:
        self._in_room = limits.posts_in_room
        self._of_member = limits.posts_of_member
        self._rate = rate

    def spend(self, room_id: str, visitor_id: str) -> None:
        """Count one post; raise `TooOften`, and count nothing, if it exceeds limit or share."""
        if not self._rate.times:
            return
        member = f"{room_id} {visitor_id}"
        free, used = self._in_room.free(room_id), self._of_member.count(member)
        if used >= fair_share(self._rate.times, free):
            missing = free_needed(self._rate.times, used) - free
            self._in_room.refused += 1
            raise refusal(self._rate.span / self._rate.times * max(1.0, missing))
        self._in_room.spend(room_id)
        self._of_member.add(member)
