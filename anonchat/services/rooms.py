"""Finding and making rooms."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import NamedTuple, NoReturn

from sqlmodel import col, delete, func, or_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..coarse_time import minute_after
from ..database import Clash, Database, again_after_clash
from ..durations import format_duration
from ..errors import (
    N_,
    InvalidLifetime,
    InvalidRoom,
    LimitReached,
    NotAllowed,
    NotAMember,
    NotFound,
    RoomNameConfusable,
    RoomNameTaken,
    Unavailable,
    UnknownVisitor,
)
from ..events import MemberJoined, RoomEnded, RoomOpened
from ..ids import new_id, new_link
from ..keystore import KeyStore, room_key
from ..ledger import note_gone
from ..lifetimes import room_lifetime
from ..limits import Limits
from ..lookalikes import SKELETON_VERSION, check_listed_name, skeletons
from ..network_shares import NetworkShares
from ..nouns import Member, Room
from ..seal import Hasher
from ..settings import Settings
from ..text import fold, make_slug, tidy_room_name, tidy_topic
from ..vault import Vault

_BATCH = 500
_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle rooms that are looked at to find one that gives way
_SKELETONS_BATCH = 50
_RESERVED = {"mine"}  # /api/v1/rooms/mine is no room but the list of one's own
# The address of a room, with or without scheme and host, as one copies it from anywhere.
_ADDRESS = re.compile(r"(?:(?i:https?)://)?[^\s/]*/r/([a-zA-Z0-9-]+)/?(?:[?#]\S*)?")


class _NameKeys(NamedTuple):
    """Keyed hashes of a name, in whatever case, and of its two skeletons."""

    exact: bytes | None
    shape: bytes | None
    folded: bytes | None


class Rooms:
    """All rooms. A listed room is found by its name or slug, an unlisted one by its slug alone."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        shares: NetworkShares,
        keys: KeyStore,
        vault: Vault,
        hasher: Hasher,
        list_present: Callable[[str], Collection[str]],
    ) -> None:
        """`list_present` tells who has a room open now, on any node."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._shares = shares
        self._list_present = list_present
        self._keys = keys
        self._vault = vault
        self._hasher = hasher
        self._burning: set[str] = set()

    async def find(self, slug: str) -> Room:
        """Return the room at that address, in whatever case.

        Raises `NotFound` if there is none, or no more; `Unavailable` if only another node can
        open it.
        """
        async with self._database.reading() as session:
            room = await self._find(session, slug_key=self._slug_key(slug.lower()))
        if room is None:
            raise NotFound(N_("There is no such room, or it has ended."))
        return room

    async def find_named(self, name: str) -> Room | None:
        """Return the listed room of that name, written in whatever case."""
        async with self._database.reading() as session:
            return await self._find(session, name_key=self._name_key(tidy_room_name(name)))

    async def open(self, name: str, *, visitor_id: str) -> Room:
        """Return the room of that name or at that address; create it if there is none.

        What can only be an address creates nothing: `NotFound`. A name that looks like that of
        another room neither opens that one nor creates a second: `RoomNameConfusable`. Raises
        `InvalidRoom`, `LimitReached` or `UnknownVisitor` too.
        """
        if isinstance(name, str) and (address := _ADDRESS.fullmatch(name.strip())):
            return await self.find(address[1])
        name = tidy_room_name(name)
        async with self._database.reading(visitor_id) as session:
            room = await self._find(session, name_key=self._name_key(name)) or await self._find(
                session, slug_key=self._slug_key(fold(name))
            )
        if room:
            return room
        try:
            return await self.create(name, visitor_id=visitor_id)
        except RoomNameConfusable:
            raise
        except RoomNameTaken:  # somebody was quicker by a moment: that is the room we want
            return await self.open(name, visitor_id=visitor_id)

    async def create(
        self,
        name: str,
        *,
        visitor_id: str,
        listed: bool = True,
        message_ttl: timedelta | None = None,
        room_ttl: timedelta | None = None,
        topic: str = "",
    ) -> Room:
        """Create a room that this visitor owns and is the first member of.

        No message outlives a quiet room: a `message_ttl` beyond `room_ttl` is refused, and the
        usual one is cut to it. Until somebody else enters, the room lives shorter. Raises
        `InvalidRoom`, `RoomNameTaken`, `RoomNameConfusable`, `LimitReached` or `UnknownVisitor`.
        """
        name, topic = tidy_room_name(name), tidy_topic(topic)
        if "://" in name:
            raise InvalidRoom(N_("That is an address. Please type a name for the room."))
        if listed:
            check_listed_name(name)
        room_ttl = self._check_room_ttl(room_ttl)
        message_ttl = self._check_message_ttl(message_ttl, room_ttl)
        spend = self._limits.rooms.once(visitor_id)
        room, member, displaced = await self._make(
            name, visitor_id, listed, message_ttl, room_ttl, topic, spend
        )
        self._shares.rooms.hold(room.id, self._shares.of_visitor(visitor_id))
        if displaced:
            await self._keys.destroy([room_key(displaced)])
            with suppress(Unavailable):  # its time is over: the janitor's round deletes its rows
                await self.end(displaced)
        await self._bus.publish(RoomOpened(room))
        await self._bus.publish(MemberJoined(room, member))
        return room

    @again_after_clash
    async def _make(
        self,
        name: str,
        visitor_id: str,
        listed: bool,
        message_ttl: timedelta,
        room_ttl: timedelta,
        topic: str,
        spend: Callable[[], None],
    ) -> tuple[Room, Member, str | None]:
        """Store a room and its first member; return the id of a room that has to give way, too."""
        now, room_id = self._clock(), new_id()
        name_keys = self._name_keys(name) if listed else _NameKeys(None, None, None)
        async with self._giving_up(room_id), self._database.transaction(visitor_id) as session:
            visitor_row = await session.get(VisitorRow, visitor_id)
            if visitor_row is None:
                raise UnknownVisitor(N_("Please come in again."))
            if listed:
                await self._clear_name(session, name, name_keys)
            displaced = await self._make_place(session, visitor_id)
            spend()
            slug = await self._free_slug(session, name) if listed else new_link()
            row = RoomRow(
                id=room_id,
                name_key=name_keys.exact,
                shape_key=name_keys.shape,
                folded_key=name_keys.folded,
                skeleton_version=SKELETON_VERSION,
                slug_key=self._slug_key(slug),
                sealed=await self._vault.seal_room(room_id, name=name, topic=topic, slug=slug),
                listed=listed,
                owner=self._hasher.pseudonym(room_id, visitor_id),
                message_ttl=int(message_ttl.total_seconds()),
                room_ttl=int(room_ttl.total_seconds()),
                last_seq=0,
                created_at=now,
                active_at=now,
                expires_at=now + room_lifetime(self._settings, room_ttl, was_entered=False),
            )
            session.add(row)
            await session.flush()
            member_row = MemberRow(
                room_id=room_id,
                visitor_id=visitor_id,
                author=row.owner,
                read_seq=0,
                joined_at=minute_after(now),
            )
            session.add(member_row)
        room = self._vault.open_room(row)
        member = self._vault.open_member(member_row, visitor_row)
        if room is None or member is None:  # burnt in the very moment of its creation
            raise NotFound(N_("There is no such room, or it has ended."))
        return room, member, displaced

    async def burn(self, room_id: str, *, visitor_id: str) -> None:
        """End a room now with everything in it, which its owner may do.

        Raises `NotAMember`, `NotAllowed`, `Unavailable`, or `NotFound` if it has ended already.
        """
        async with self._database.transaction(visitor_id) as session:
            member = await session.get(MemberRow, (room_id, visitor_id))
            await self._vault.learn_rooms([room_id])
            row = await session.get(RoomRow, room_id, with_for_update=True)
            if row is None or self._open(row) is None:
                raise NotFound(N_("There is no such room, or it has ended."))
            if member is None:
                raise NotAMember(N_("Only members can do that. Join the room first."))
            if member.author != row.owner:
                raise NotAllowed(N_("Only the owner of the room may do that."))
        await self._destroy(room_id)
        with suppress(Unavailable):  # its rows, which nobody can read, go in the janitor's round
            await self.end(room_id)

    async def close(self, room_id: str) -> int:
        """End a room now with everything in it, whoever owns it; return how many messages went.

        Raises `Unavailable`, or `NotFound` if it has ended already.
        """
        async with self._database.transaction() as session:
            row = await session.get(RoomRow, room_id)
            if row is None or self._vault.open_room(row) is None:
                raise NotFound(N_("There is no such room, or it has ended."))
        await self._destroy(room_id)
        return await self.end(room_id)

    async def _destroy(self, room_id: str) -> None:
        """Destroy the key of a room whose time is over now: whatever happens, a janitor goes on."""
        self._burning.add(room_id)
        with suppress(Unavailable):  # on a full disk the key goes nevertheless
            async with self._database.transaction() as session:
                over = update(RoomRow).where(col(RoomRow.id) == room_id)
                await session.exec(over.values(expires_at=self._clock()))
        await self._keys.destroy([room_key(room_id)])

    async def finish_burning(self) -> None:
        """Delete the rows of burnt rooms that the disk has refused to delete."""
        for room_id in list(self._burning):
            with suppress(Unavailable):  # the next round tries again
                await self.end(room_id)

    @again_after_clash
    async def end(self, room_id: str) -> int:
        """Tell everybody that a room is no more, whose key was destroyed, and delete its rows.

        Returns how many messages there were.
        """
        await self._bus.publish(RoomEnded(room_id, burnt=room_id in self._burning))
        count = 0
        while batch := await self._delete_messages(room_id):
            count += batch
        members = select(MemberRow.visitor_id).where(MemberRow.room_id == room_id)
        members = members.order_by(col(MemberRow.visitor_id)).with_for_update()
        async with self._database.transaction() as session:
            await session.get(RoomRow, room_id, with_for_update=True)
            await session.exec(members)
            gone = await session.exec(delete(RoomRow).where(col(RoomRow.id) == room_id))
            await note_gone(session, rooms=gone.rowcount)
        self._burning.discard(room_id)
        return count

    async def update_skeletons(self) -> int:
        """Replace what was stored of names by older rules; return how many were replaced.

        Of two rooms whose names look alike by the new rules both stay: one has a name alone.
        Another node may do the same meanwhile.
        """
        count, after = 0, ""
        while batch := await self._update_some_skeletons(after):
            count, after = count + len(batch), batch[-1]
        return count

    @again_after_clash
    async def _update_some_skeletons(self, after: str) -> list[str]:
        """Return the ids of those whose keys were replaced, or left since nothing opens them."""
        query = select(RoomRow).where(RoomRow.id > after, col(RoomRow.name_key).is_not(None))
        query = query.where(RoomRow.skeleton_version != SKELETON_VERSION)
        query = query.order_by(col(RoomRow.id)).limit(_SKELETONS_BATCH).with_for_update()
        async with self._database.transaction() as session:
            rows = (await session.exec(query)).all()
            await self._vault.learn_rooms(row.id for row in rows)
            opened = [(row, room) for row in rows if (room := self._vault.open_room(row))]
            keys = {}
            for row, room in opened:
                keys[row.id] = self._name_keys(room.name)
                await asyncio.sleep(0)  # a long name takes milliseconds
            taken = await _find_taken_keys(session, keys)
            for row, _ in opened:
                own = keys[row.id]
                taken -= {row.shape_key, row.folded_key}
                row.shape_key = None if own.shape in taken else own.shape
                row.folded_key = None if own.folded in taken else own.folded
                row.skeleton_version = SKELETON_VERSION
                taken |= {row.shape_key, row.folded_key}
        return [row.id for row in rows]

    async def _delete_messages(self, room_id: str) -> int:
        """Delete some messages of a room, not all at once: nobody shall wait long to post."""
        query = select(MessageRow.id).where(MessageRow.room_id == room_id).limit(_BATCH)
        query = query.with_for_update(skip_locked=True)  # what another node deletes just now
        async with self._database.transaction() as session:
            ids = (await session.exec(query)).all()
            await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
            await note_gone(session, messages=len(ids))
        return len(ids)

    @asynccontextmanager
    async def _giving_up(self, room_id: str) -> AsyncIterator[None]:
        """Leave no key behind for a room whose name another has taken in this moment."""
        try:
            yield
        except Clash:
            await self._keys.destroy([room_key(room_id)])
            raise

    def _name_key(self, name: str) -> bytes:
        return self._hasher.hash("room name", fold(name))

    def _name_keys(self, name: str) -> _NameKeys:
        shape, folded = skeletons(name)
        return _NameKeys(
            self._name_key(name),
            self._hasher.hash("room name skeleton", shape),
            self._hasher.hash("room name skeleton without case", folded),
        )

    def _slug_key(self, slug: str) -> bytes:
        return self._hasher.hash("slug", slug)

    async def _find(
        self,
        session: AsyncSession,
        *,
        name_key: bytes | None = None,
        slug_key: bytes | None = None,
    ) -> Room | None:
        query = select(RoomRow).where(col(RoomRow.expires_at) > self._clock())
        if name_key:
            query = query.where(RoomRow.name_key == name_key)
        if slug_key:
            query = query.where(RoomRow.slug_key == slug_key)
        row = (await session.exec(query)).first()
        await self._vault.learn_rooms([row.id] if row else [])
        return self._open(row) if row else None

    def _open(self, row: RoomRow) -> Room | None:
        """Open a room; raise `Unavailable` if only another node has its key."""
        room = self._vault.open_room(row)
        if room is None and self._vault.is_room_strange(row.id):
            raise Unavailable(N_("That could not be kept just now. Please try again."))
        return room

    async def _clear_name(self, session: AsyncSession, name: str, keys: _NameKeys) -> None:
        """Make sure that the name is free; an ended room that was not purged yet lets go of it.

        What is typed may be a name or an address, so no name may be the address of another room.
        """
        if await self._find(session, slug_key=self._slug_key(fold(name))):
            raise RoomNameTaken(N_("There is a room of that name already."))
        query = select(RoomRow).where(
            or_(
                RoomRow.name_key == keys.exact,
                RoomRow.shape_key == keys.shape,
                RoomRow.folded_key == keys.folded,
            )
        )
        query = query.order_by(col(RoomRow.id)).with_for_update()
        holders = (await session.exec(query)).all()
        for holder in sorted(holders, key=lambda each: each.name_key != keys.exact):
            if holder.expires_at > self._clock() and not self._keys.is_gone(room_key(holder.id)):
                await self._refuse_name(holder, keys)
            holder.name_key, holder.slug_key = None, self._slug_key(new_link())
            holder.shape_key = holder.folded_key = None
            session.add(holder)
        await session.flush()

    async def _refuse_name(self, holder: RoomRow, keys: _NameKeys) -> NoReturn:
        if holder.name_key == keys.exact:
            raise RoomNameTaken(N_("There is a room of that name already."))
        await self._vault.learn_rooms([holder.id])
        room = self._vault.open_room(holder)
        if room is None:
            raise RoomNameConfusable(N_("There is a room with a name that looks the same."))
        raise RoomNameConfusable(
            N_("There is a room with a name that looks the same: {name}"), name=room.name
        )

    async def _free_slug(self, session: AsyncSession, name: str) -> str:
        base = make_slug(name)
        for slug in (base, *(f"{base}-{number}" for number in range(2, 6))):
            query = select(RoomRow.id).where(RoomRow.slug_key == self._slug_key(slug))
            if slug not in _RESERVED and (await session.exec(query)).first() is None:
                return slug
        return f"{base}-{secrets.token_hex(4)}"

    async def _make_place(self, session: AsyncSession, visitor_id: str) -> str | None:
        """Make sure that there is a place for one more room of a visitor.

        If there is none, or the visitor's network has its share, an idle room of a network that
        holds more is claimed: its time is over now, and its id is returned. Raises `LimitReached`.
        """
        of_visitor = select(func.count()).where(MemberRow.visitor_id == visitor_id)
        if (await session.exec(of_visitor)).one() >= self._settings.rooms_per_visitor_max:
            raise LimitReached(N_("You are in too many rooms. Leave one first."))
        count = (await session.exec(select(func.count()).select_from(RoomRow))).one()
        bound, networks = self._settings.rooms_max, self._shares.of_visitor(visitor_id)
        if self._shares.rooms.is_within_share(networks, bound=bound, taken=count):
            return None
        for room_id in (await session.exec(self._idle().limit(_CANDIDATES))).all():
            if not self._list_present(room_id) and self._shares.rooms.may_displace(
                networks, room_id, bound=bound
            ):
                claiming = self._idle().where(RoomRow.id == room_id)
                claimed = await session.exec(claiming.with_for_update(skip_locked=True))
                if claimed.first():
                    over = update(RoomRow).where(col(RoomRow.id) == room_id)
                    await session.exec(over.values(expires_at=self._clock()))
                    return room_id
        if count >= bound:
            raise LimitReached(N_("There are too many rooms right now. Please come back later."))
        raise LimitReached(
            N_("Too many rooms were made from your network. Please come back later.")
        )

    def _idle(self) -> SelectOfScalar[str]:
        """Select rooms that nobody but the maker has entered and that are empty, oldest first."""
        now = self._clock()
        return (
            select(RoomRow.id)
            .where(
                ~col(RoomRow.was_entered),
                RoomRow.last_seq == 0,
                col(RoomRow.active_at) <= now - _IDLE_AFTER,
                col(RoomRow.expires_at) > now,
            )
            .order_by(col(RoomRow.expires_at))
        )

    def _check_message_ttl(self, ttl: timedelta | None, room_ttl: timedelta) -> timedelta:
        if ttl is None:
            return min(self._settings.message_ttl, room_ttl)
        _check_within(ttl, self._settings.message_ttl_min, self._settings.message_ttl_max)
        if ttl > room_ttl:
            raise InvalidLifetime(N_("Messages cannot outlive the room they are in."))
        return ttl

    def _check_room_ttl(self, ttl: timedelta | None) -> timedelta:
        if ttl is None:
            return self._settings.room_ttl
        _check_within(ttl, self._settings.message_ttl_min, self._settings.room_ttl_max)
        return ttl


async def _find_taken_keys(session: AsyncSession, keys: dict[str, _NameKeys]) -> set[bytes | None]:
    """Return all keys of rooms that hold one of these."""
    query = select(RoomRow.shape_key, RoomRow.folded_key).where(
        or_(
            col(RoomRow.shape_key).in_({each.shape for each in keys.values()}),
            col(RoomRow.folded_key).in_({each.folded for each in keys.values()}),
        )
    )
    return {key for row in await session.exec(query) for key in row}


def _check_within(ttl: timedelta, least: timedelta, most: timedelta) -> None:
    if not least <= ttl <= most:
        raise InvalidLifetime(
            N_("That has to be between {least} and {most}."),
            least=format_duration(least),
            most=format_duration(most),
        )
