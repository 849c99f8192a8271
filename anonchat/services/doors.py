"""The doors of rooms: who is invited, and who asks to come in."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from models import MemberRow, RoomRow, VisitorRow

from ..bus import Bus
from ..durations import format_duration
from ..entities import Invite, Knock, Member, Room
from ..errors import N_, InvalidInvite, InviteGone, NotAllowed, NotFound, UnknownVisitor
from ..events import DoorsChanged
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..security.row_cipher import RowCipher
from ..settings import Settings
from ..storage.bans import Bans
from ..storage.conflicts import retry_on_conflict
from ..storage.database import Database
from ..storage.invites import Invites
from ..storage.knocks import TURNED_AWAY, WAITING, Knocks
from ..storage.room_doors import RoomDoors
from ..storage.room_moderator import RoomModerators

USES_MAX = 1_000_000
"""How often an invitation can be used at most, if that is limited."""
_FOR_NO_KEY_UPDATE = {"key_share": True}
_LIFETIME_MIN = timedelta(minutes=1)


class Doors:
    """What the owner of a room and its helpers decide about who comes in."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        cipher: RowCipher,
        moderators: RoomModerators,
        invites: Invites,
        knocks: Knocks,
        bans: Bans,
        doors: RoomDoors,
        join: Callable[..., Awaitable[Member]],
    ) -> None:
        """`join` makes a visitor a member of a room."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._cipher = cipher
        self._moderators = moderators
        self._invites = invites
        self._knocks = knocks
        self._bans = bans
        self._doors = doors
        self._join = join

    async def invite(
        self, room_id: str, *, visitor_id: str, lifetime: timedelta, uses_max: int = 0
    ) -> Invite:
        """Make an invitation, which leads past the password and the lock of the room.

        It can be used `uses_max` times; 0 is without limit. Raises `InvalidInvite`, `NotFound`,
        `NotAMember`, `NotAllowed` or `LimitReached`.
        """
        most = self._settings.invite_ttl_max
        if not _LIFETIME_MIN <= lifetime <= most:
            raise InvalidInvite(
                N_("That has to be between {least} and {most}."),
                least=format_duration(_LIFETIME_MIN),
                most=format_duration(most),
            )
        if not 0 <= uses_max <= USES_MAX:
            raise InvalidInvite(
                N_("That has to be between {least} and {most}."), least=0, most=USES_MAX
            )
        charge = self._limits.invites.hit_once(visitor_id)
        return await self._store(room_id, visitor_id, lifetime, uses_max, charge)

    @retry_on_conflict
    async def _store(
        self,
        room_id: str,
        visitor_id: str,
        lifetime: timedelta,
        uses_max: int,
        charge: Callable[[], None],
    ) -> Invite:
        async with self._database.transaction(visitor_id) as session:
            await self._moderators.require(session, room_id, visitor_id)
            charge()
            invite = await self._invites.add(session, room_id, lifetime=lifetime, uses_max=uses_max)
        await self._bus.publish(DoorsChanged(room_id))
        return invite

    async def list_invites(self, room_id: str, *, visitor_id: str) -> list[Invite]:
        """Return the invitations that can still be used, the next to expire first.

        Raises `NotFound`, `NotAMember` or `NotAllowed`.
        """
        async with self._database.transaction(visitor_id) as session:
            await self._moderators.require(session, room_id, visitor_id)
            return await self._invites.list(session, room_id)

    async def revoke(self, room_id: str, code: str, *, visitor_id: str) -> None:
        """Delete an invitation: it lets nobody in any more. Who came in with it stays.

        Raises `InviteGone`, `NotFound`, `NotAMember` or `NotAllowed`.
        """
        async with self._database.transaction(visitor_id) as session:
            await self._moderators.require(session, room_id, visitor_id)
            await self._invites.remove(session, room_id, code)
        await self._bus.publish(DoorsChanged(room_id))

    async def find_invited(self, code: str) -> Room:
        """Return the room to which an invitation leads; raise `InviteGone`."""
        async with self._database.read_session() as session:
            row = await session.get(RoomRow, await self._invites.find_room_id(session, code))
        room = await self._cipher.fetch_room(row) if row else None
        if room is None or room.expires_at <= self._clock():
            raise InviteGone
        return room

    async def knock(
        self, room_id: str, *, visitor_id: str, password: str = "", address: str = ""
    ) -> None:
        """Ask to come into a room; nothing changes for those who wait already, and for members.

        Raises `NotAllowed` if nobody has to ask, `TurnedAway` and other kinds of `DoorClosed`,
        `Banned`, `NotFound`, `UnknownVisitor` or `LimitReached`.
        """
        password_key = await self._doors.try_password(
            room_id, visitor_id=visitor_id, password=password, address=address
        )
        charge = self._limits.knocks.hit_once(visitor_id)
        if await self._store_knock(room_id, visitor_id, password_key, charge):
            await self._bus.publish(DoorsChanged(room_id))

    @retry_on_conflict
    async def _store_knock(
        self, room_id: str, visitor_id: str, password_key: bytes, charge: Callable[[], None]
    ) -> bool:
        async with self._database.transaction(visitor_id) as session:
            row = await session.get(RoomRow, room_id, with_for_update=_FOR_NO_KEY_UPDATE)
            visitor = await session.get(VisitorRow, visitor_id)
            if row is None or row.expires_at <= self._clock():
                raise NotFound
            if visitor is None:
                raise UnknownVisitor
            if await session.get(MemberRow, (room_id, visitor_id)):
                return False
            await self._cipher.fetch_room(row)
            await self._bans.require_admitted(session, room_id, visitor)
            if not self._doors.require_key(row, password_key).rules.asks:
                raise NotAllowed(N_("Nobody has to ask to come into this room."))
            charge()
            return await self._knocks.add(session, room_id, visitor_id)

    async def find_knock(self, room_id: str, visitor_id: str) -> str:
        """Return `waiting` or `turned away`, or nothing for others."""
        async with self._database.read_session(visitor_id) as session:
            answer = await self._knocks.find_answer(session, room_id, visitor_id)
        names = {WAITING: "waiting", TURNED_AWAY: "turned away"}
        return "" if answer is None else names.get(answer, "")

    async def list_knocks(self, room_id: str, *, visitor_id: str) -> list[Knock]:
        """Return who waits for an answer, the first one first.

        Raises `NotFound`, `NotAMember` or `NotAllowed`.
        """
        async with self._database.transaction(visitor_id) as session:
            await self._moderators.require(session, room_id, visitor_id)
            return await self._knocks.list(session, room_id)

    async def answer_knock(
        self, room_id: str, author: str, *, let_in: bool, visitor_id: str
    ) -> None:
        """Let in who waits by this pseudonym, or turn them away until their hour has passed.

        Raises `NotFound`, `NotAMember`, `NotAllowed`, or `LimitReached`: then they may come in
        as soon as there is room.
        """
        async with self._database.transaction(visitor_id) as session:
            await self._moderators.require(session, room_id, visitor_id)
            asking = await self._knocks.answer(session, room_id, author, let_in=let_in)
        await self._bus.publish(DoorsChanged(room_id))
        if let_in:
            await self._join(room_id, visitor_id=asking)
