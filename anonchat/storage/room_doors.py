"""The doors of rooms: who may become a member."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, RoomRow

from ..crypto import Hasher
from ..entities import Room
from ..errors import (
    N_,
    InvalidPassword,
    LimitReached,
    MustKnock,
    NotFound,
    PasswordRequired,
    RoomLocked,
    TurnedAway,
    WrongPassword,
)
from ..events import DoorsChanged, Event
from ..limits.phrase_verifier import PhraseVerifier
from ..limits.rate_limits import Limits
from ..security.row_cipher import RowCipher
from ..security.secret_phrase import keys_equal, normalize_password
from .database import Database
from .invites import Invites
from .knocks import LET_IN, TURNED_AWAY, Knocks


class RoomDoors:
    """Hashes and tries the passwords of rooms, and lets visitors in."""

    def __init__(
        self,
        *,
        database: Database,
        limits: Limits,
        cipher: RowCipher,
        hasher: Hasher,
        passwords: PhraseVerifier,
        invites: Invites,
        knocks: Knocks,
    ) -> None:
        self._database = database
        self._limits = limits
        self._cipher = cipher
        self._hasher = hasher
        self._passwords = passwords
        self._invites = invites
        self._knocks = knocks

    async def make_password_key(self, password: str, *, address: str) -> bytes:
        """Return the key of a new password, which is empty without one.

        Raises `InvalidPassword`, and what hashing does.
        """
        password = normalize_password(password)
        if not password:
            return b""
        return await self._passwords.hash_password(password, address=address)

    async def try_password(
        self, room_id: str, *, visitor_id: str, password: str, address: str = ""
    ) -> bytes:
        """Return the key of the right password of a room; empty if nothing has to be proven.

        A room that does not exist has no right password, and costs as much time. Raises
        `WrongPassword`, `RateLimited`, and what hashing does.
        """
        if not password:
            return b""
        async with self._database.read_session(visitor_id) as session:
            row = await session.get(RoomRow, room_id)
            member = await session.get(MemberRow, (room_id, visitor_id))
        await self._cipher.fetch_room_keys([row] if row else [])
        stored = (row and self._cipher.decrypt_password_key(row)) or b""
        if row and (member or not stored):
            return b""
        with self._counting_tries(visitor_id, address):
            try:
                password = normalize_password(password)
            except InvalidPassword:
                raise WrongPassword from None
            key = await self._passwords.hash_password(password, stored, address=address)
            if not keys_equal(key, stored):
                raise WrongPassword
        return key

    async def admit(
        self,
        session: AsyncSession,
        row: RoomRow,
        visitor_id: str,
        *,
        password_key: bytes,
        invite: str,
    ) -> list[Event]:
        """Check that a visitor may become a member of a room, whose row is locked.

        `password_key` is that of the password that was tried, and `invite` the code of an
        invitation; the owner who returns needs none of them. Returns the events to publish after
        the commit. Raises `DoorClosed`, `InviteGone` or `LimitReached`.
        """
        if (room := self._cipher.decrypt_room(row)) is None:
            raise NotFound
        events: list[Event] = []
        if self._hasher.pseudonym(room.id, visitor_id) == room.owner:
            pass
        elif invite:
            await self._invites.use(session, room.id, invite)
            events.append(DoorsChanged(room.id))
        elif (answer := await self._knocks.find_answer(session, room.id, visitor_id)) != LET_IN:
            self.require_key(row, password_key)
            if room.rules.asks:
                raise TurnedAway if answer == TURNED_AWAY else MustKnock
        if most := room.rules.members_max:
            members = select(func.count()).where(MemberRow.room_id == room.id)
            if (await session.exec(members)).one() >= most:
                raise LimitReached(N_("This room is full."))
        if await self._knocks.remove(session, room.id, visitor_id):
            events.append(DoorsChanged(room.id))
        return events

    def require_key(self, row: RoomRow, password_key: bytes) -> Room:
        """Return a room that is not locked, and whose password was tried, if it has one.

        Raises `RoomLocked`, `PasswordRequired`, `WrongPassword`, or `NotFound`.
        """
        room = self._cipher.decrypt_room(row)
        stored = self._cipher.decrypt_password_key(row)
        if room is None or stored is None:
            raise NotFound
        if room.rules.locked:
            raise RoomLocked
        if stored and not keys_equal(password_key, stored):
            raise WrongPassword if password_key else PasswordRequired
        return room

    @contextmanager
    def _counting_tries(self, visitor_id: str, address: str) -> Iterator[None]:
        """Count a try of a visitor and of their network, unless the block ends normally."""
        counted = [(self._limits.wrong_passwords, visitor_id)]
        if address:
            counted.append((self._limits.wrong_passwords_of_network, address))
        for limit, key in counted:
            limit.hit(key)
        yield
        for limit, key in counted:
            limit.refund(key, 1)
