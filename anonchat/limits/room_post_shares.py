"""Fair shares of a room's post limit, so that a few members cannot block the others."""

from ..rates import Rate
from .fair_share import fair_share, free_needed
from .limit import rate_limited_error
from .rate_limits import Limits


class RoomPostShares:
    """Limits the posts of a room, and those of each member to a fair share of the remaining ones.

    While the room is far from its limit, only a member's own limit applies. As the room approaches
    its limit, the share shrinks: members who have posted less than others in the last span can
    still post when the others have to wait.
    """

    def __init__(self, limits: Limits, rate: Rate) -> None:
        self._room_limit = limits.posts_in_room
        self._member_use = limits.posts_of_member
        self._rate = rate

    def hit(self, room_id: str, visitor_id: str) -> None:
        """Count one post; raise `RateLimited`, without counting, beyond the limit or the share."""
        if not self._rate.times:
            return
        member = f"{room_id} {visitor_id}"
        free, used = self._room_limit.remaining(room_id), self._member_use.count(member)
        if used >= fair_share(self._rate.times, free):
            missing = free_needed(self._rate.times, used) - free
            self._room_limit.refused += 1
            raise rate_limited_error(self._rate.span / self._rate.times * max(1.0, missing))
        self._room_limit.hit(room_id)
        self._member_use.add(member)
