"""Rooms: finding, creating, changing and ending them."""

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from ..bus import Bus
from ..crypto import Hasher
from ..entities import Member, Room
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
from ..events import MemberJoined, RoomChanged, RoomEnded, RoomOpened
from ..ids import new_id, new_unlisted_slug
from ..lifetimes import check_lifetimes, require_shorter_messages, room_lifetime
from ..limits.network_shares import NetworkShares
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.key_names import list_texts_keys, room_key_name, room_key_names, texts_key_name
from ..security.keystore import KeyStore
from ..security.row_cipher import RowCipher
from ..settings import Settings
from ..storage.conflicts import destroying_keys_on_conflict, retry_on_conflict
from ..storage.database import Database
from ..storage.message_deletion import delete_messages
from ..storage.purge_stats import count_purged
from ..storage.room_names import RoomNameKeys, RoomNames
from ..text.lookalikes import SKELETON_VERSION, check_new_room_name
from ..text.normalization import fold_case, normalize_room_name, normalize_topic

_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle rooms checked when one has to be displaced
# The URL of a room, with or without scheme and host.
_ROOM_URL = re.compile(r"(?:(?i:https?)://)?[^\s/]*/r/([a-zA-Z0-9-]+)/?(?:[?#]\S*)?")


class Rooms:
    """Finds, creates, changes and ends rooms.

    Listed rooms are found by name or slug, others by slug.
    """

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
        cipher: RowCipher,
        hasher: Hasher,
        names: RoomNames,
        list_present: Callable[[str], Collection[str]],
    ) -> None:
        """`list_present` returns the pseudonyms of members who have a room open, on any node."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._shares = shares
        self._list_present = list_present
        self._keys = keys
        self._cipher = cipher
        self._hasher = hasher
        self._names = names
        self._burning: set[str] = set()

    async def find(self, slug: str) -> Room:
        """Return the room with that slug, ignoring case.

        Raises `NotFound` if there is no live room with it, and `Unavailable` if only another node
        has its key.
        """
        async with self._database.read_session() as session:
            room = await self._names.find_by_slug(session, slug.lower())
        if room is None:
            raise NotFound
        return room

    async def find_by_name(self, name: str) -> Room | None:
        """Return the listed room with that name, ignoring case."""
        async with self._database.read_session() as session:
            return await self._names.find_by_name(session, normalize_room_name(name))

    async def open(self, name: str, *, visitor_id: str) -> Room:
        """Return the room with that name, slug or URL; create it if there is none.

        A URL creates no room. Raises `NotFound` for a URL without a room, `RoomNameConfusable` if
        the name looks like that of another room, `InvalidRoom`, `LimitReached` or `UnknownVisitor`.
        """
        if isinstance(name, str) and (url := _ROOM_URL.fullmatch(name.strip())):
            return await self.find(url[1])
        name = normalize_room_name(name)
        async with self._database.read_session(visitor_id) as session:
            room = await self._names.find_by_name(session, name)
            room = room or await self._names.find_by_slug(session, fold_case(name))
        if room:
            return room
        try:
            return await self.create(name, visitor_id=visitor_id)
        except RoomNameConfusable:
            raise
        except RoomNameTaken:  # created concurrently: return that room
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
        """Create a room with this visitor as its owner and first member.

        No message outlives an inactive room: a `message_ttl` beyond `room_ttl` is refused, and the
        default is reduced to it. The lifetime is shorter until another visitor joins. Raises
        `InvalidRoom`, `InvalidLifetime`, `RoomNameTaken`, `RoomNameConfusable`, `LimitReached`,
        `UnknownVisitor` or `Unavailable`.
        """
        name, topic = _normalize_new_name(name), normalize_topic(topic)
        if listed:
            check_new_room_name(name)
        check_lifetimes(self._settings, message_ttl=message_ttl, room_ttl=room_ttl)
        room_ttl = room_ttl or self._settings.room_ttl
        message_ttl = message_ttl or min(self._settings.message_ttl, room_ttl)
        require_shorter_messages(message_ttl, room_ttl)
        charge = self._limits.rooms.hit_once(visitor_id)
        room, member, displaced = await self._insert(
            name, visitor_id, listed, message_ttl, room_ttl, topic, charge
        )
        self._shares.rooms.hold(room.id, self._shares.visitors.networks_of(visitor_id))
        if displaced:
            await self._keys.destroy([room_key_name(displaced)])
            with suppress(Unavailable):  # it is expired: the next purge deletes its rows
                await self.end(displaced)
        await self._bus.publish(RoomOpened(room))
        await self._bus.publish(MemberJoined(room, member))
        return room

    @retry_on_conflict
    async def _insert(
        self,
        name: str,
        visitor_id: str,
        listed: bool,
        message_ttl: timedelta,
        room_ttl: timedelta,
        topic: str,
        charge: Callable[[], None],
    ) -> tuple[Room, Member, str | None]:
        """Store a room and its first member; return both and the id of a displaced room, if any."""
        now, room_id, texts_key_id = self._clock(), new_id(), new_id()
        key_names = room_key_names(room_id, texts_key_id)
        name_keys = self._names.make_keys(name) if listed else RoomNameKeys()
        async with (
            destroying_keys_on_conflict(self._keys, key_names),
            self._database.transaction(visitor_id) as session,
        ):
            visitor_row = await session.get(VisitorRow, visitor_id)
            if visitor_row is None:
                raise UnknownVisitor
            if listed:
                await self._names.claim(session, name, name_keys)
            displaced = await self._reserve_place(session, visitor_id)
            charge()
            slug = await self._names.choose_slug(session, name) if listed else new_unlisted_slug()
            await self._keys.get_or_create(*key_names)
            row = RoomRow(
                id=room_id,
                name_key=name_keys.exact,
                shape_key=name_keys.shape,
                folded_key=name_keys.folded,
                skeleton_version=SKELETON_VERSION,
                slug_key=self._names.slug_key(slug),
                sealed=self._cipher.encrypt_room(
                    room_id, texts_key_id, name=name, topic=topic, slug=slug
                ),
                texts_key_id=texts_key_id,
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
                joined_at=ceil_to_minute(now),
            )
            session.add(member_row)
        room = self._cipher.decrypt_room(row)
        member = self._cipher.decrypt_member(member_row, visitor_row)
        if room is None or member is None:  # the room or the visitor was deleted meanwhile
            raise NotFound
        return room, member, displaced

    async def update(
        self,
        room_id: str,
        *,
        visitor_id: str,
        name: str | None = None,
        topic: str | None = None,
        message_ttl: timedelta | None = None,
        room_ttl: timedelta | None = None,
    ) -> Room:
        """Change a room; allowed for its owner. What is `None` stays.

        The slug stays too, so that links still work. Messages that were posted keep their lifetime,
        and the room lives at least as long. The previous name and topic cannot be decrypted in any
        copy afterwards. Raises `NotAMember`, `NotAllowed`, `NotFound` or `RateLimited`, and what
        `create` does.
        """
        given = {
            "name": None if name is None else _normalize_new_name(name),
            "topic": None if topic is None else normalize_topic(topic),
            "message_ttl": message_ttl,
            "room_ttl": room_ttl,
        }
        changes = {field: value for field, value in given.items() if value is not None}
        charge = self._limits.room_changes.hit_once(visitor_id)
        return await self._apply(changes, room_id, visitor_id, charge)

    @retry_on_conflict
    async def _apply(
        self, changes: dict[str, Any], room_id: str, visitor_id: str, charge: Callable[[], None]
    ) -> Room:
        """Store and publish changes of a room; return the room."""
        texts_key_id = new_id()
        async with (
            destroying_keys_on_conflict(self._keys, [texts_key_name(texts_key_id)]),
            self._database.transaction(visitor_id) as session,
        ):
            owned = await self._require_owned(session, room_id, visitor_id)
            name = changes.get("name", owned.name)
            name_keys = await self._claim_other_name(session, owned, name)
            row = await session.get(RoomRow, room_id, with_for_update=True, populate_existing=True)
            before = await self._cipher.fetch_room(row) if row else None
            if row is None or before is None or before.expires_at <= self._clock():
                raise NotFound
            changes = {key: new for key, new in changes.items() if new != getattr(before, key)}
            if not changes:
                return before
            room = replace(before, **changes)
            check_lifetimes(
                self._settings,
                message_ttl=changes.get("message_ttl"),
                room_ttl=changes.get("room_ttl"),
            )
            require_shorter_messages(room.message_ttl, room.room_ttl)
            if room.room_ttl != before.room_ttl:
                row.expires_at = await self._find_end(session, room)
            charge()
            unused_keys = list_texts_keys(row.texts_key_id)
            await self._keys.get_or_create(texts_key_name(texts_key_id))
            self._update_row(row, room, texts_key_id, name_keys)
            session.add(row)
        changed = self._cipher.decrypt_room(row)
        if changed is None:  # burnt meanwhile
            raise NotFound
        await self._bus.publish(RoomChanged(changed))
        with suppress(Unavailable):  # the next write to the key file erases them
            await self._keys.destroy(unused_keys)
        return changed

    def _update_row(
        self, row: RoomRow, room: Room, texts_key_id: str, name_keys: RoomNameKeys | None
    ) -> None:
        row.sealed = self._cipher.encrypt_room(
            room.id, texts_key_id, name=room.name, topic=room.topic, slug=room.slug
        )
        row.texts_key_id = texts_key_id
        row.revision += 1
        row.message_ttl = int(room.message_ttl.total_seconds())
        row.room_ttl = int(room.room_ttl.total_seconds())
        if name_keys:
            row.name_key, row.shape_key, row.folded_key = name_keys
            row.skeleton_version = SKELETON_VERSION

    async def _claim_other_name(
        self, session: AsyncSession, room: Room, name: str
    ) -> RoomNameKeys | None:
        """Claim a new name for a listed room, and lock its row; return the keys of the name."""
        if not room.listed or name == room.name:
            return None
        check_new_room_name(name)
        keys = self._names.make_keys(name)
        await self._names.claim(session, name, keys, own_id=room.id)
        return keys

    async def _find_end(self, session: AsyncSession, room: Room) -> datetime:
        """Return when a room ends with a new lifetime: no sooner than its last message expires.

        Raises `InvalidLifetime` if that is over.
        """
        last = select(func.max(MessageRow.expires_at)).where(MessageRow.room_id == room.id)
        last_expiry = (await session.exec(last)).one()
        lifetime = room_lifetime(self._settings, room.room_ttl, was_entered=room.was_entered)
        end = max(filter(None, (room.active_at + lifetime, last_expiry)))
        if end <= self._clock():
            raise InvalidLifetime(
                N_("The room has been quiet for longer than that, and would end now.")
            )
        return end

    async def burn(self, room_id: str, *, visitor_id: str) -> None:
        """End a room now and delete its messages; allowed for its owner.

        Raises `NotAMember`, `NotAllowed`, `Unavailable`, or `NotFound` if it has already ended.
        """
        async with self._database.read_session(visitor_id) as session:
            await self._require_owned(session, room_id, visitor_id)
        await self._destroy(room_id)
        with suppress(Unavailable):  # the next purge deletes the unreadable rows
            await self.end(room_id)

    async def _require_owned(self, session: AsyncSession, room_id: str, visitor_id: str) -> Room:
        """Return the room, of which this visitor has to be a member and the owner.

        Raises `NotAMember`, `NotAllowed`, `NotFound` or `Unavailable`.
        """
        member = await session.get(MemberRow, (room_id, visitor_id))
        row = await session.get(RoomRow, room_id)
        room = await self._cipher.fetch_room(row) if row else None
        if room is None:
            raise NotFound
        if member is None:
            raise NotAMember
        if member.author != room.owner:
            raise NotAllowed(N_("Only the owner of the room may do that."))
        return room

    async def close(self, room_id: str, *, until: datetime | None = None) -> int:
        """End a room now on behalf of the operator; return the number of deleted messages.

        No listed room can have its name, its slug or one that looks the same `until` then. The slug
        of an unlisted room is never used again anyway. Raises `Unavailable`, or `NotFound` if it
        has already ended.
        """
        async with self._database.read_session() as session:
            row = await session.get(RoomRow, room_id)
            room = self._cipher.decrypt_room(row) if row else None
        if room is None:
            raise NotFound
        if until and room.listed:
            await self._names.close(room, until=until)
        await self._destroy(room_id)
        return await self.end(room_id)

    async def _destroy(self, room_id: str) -> None:
        """Mark a room as expired, so that a janitor completes the deletion, and destroy its key."""
        self._burning.add(room_id)
        with suppress(Unavailable):  # on a full disk the key is destroyed all the same
            async with self._database.transaction() as session:
                expiring = update(RoomRow).where(col(RoomRow.id) == room_id)
                await session.exec(expiring.values(expires_at=self._clock()))
        await self._keys.destroy([room_key_name(room_id)])

    async def retry_burning(self) -> None:
        """Retry deleting the rows of burnt rooms after the database was unavailable."""
        for room_id in list(self._burning):
            with suppress(Unavailable):  # the next purge retries
                await self.end(room_id)

    @retry_on_conflict
    async def end(self, room_id: str) -> int:
        """Publish the end of a room whose key is destroyed, and delete its rows.

        Returns the number of deleted messages.
        """
        await self._bus.publish(RoomEnded(room_id, burnt=room_id in self._burning))
        count = 0
        async for deletion in delete_messages(self._database, col(MessageRow.room_id) == room_id):
            count += len(deletion.seqs)
        members = select(MemberRow.visitor_id).where(MemberRow.room_id == room_id)
        members = members.order_by(col(MemberRow.visitor_id)).with_for_update()
        async with self._database.transaction() as session:
            row = await session.get(RoomRow, room_id, with_for_update=True)
            await session.exec(members)
            deleted = await session.exec(delete(RoomRow).where(col(RoomRow.id) == room_id))
            await count_purged(session, rooms=deleted.rowcount)
        await self._keys.destroy(list_texts_keys(row.texts_key_id) if row else [])
        self._burning.discard(room_id)
        return count

    async def _reserve_place(self, session: AsyncSession, visitor_id: str) -> str | None:
        """Ensure that one more room of a visitor is within the limits.

        If there are too many rooms, or the visitor's network has its share, an idle room of a
        network that holds more is expired, and its id is returned. Raises `LimitReached`.
        """
        of_visitor = select(func.count()).where(MemberRow.visitor_id == visitor_id)
        if (await session.exec(of_visitor)).one() >= self._settings.rooms_per_visitor_max:
            raise LimitReached(N_("You are in too many rooms. Leave one first."))
        count = (await session.exec(select(func.count()).select_from(RoomRow))).one()
        bound, networks = self._settings.rooms_max, self._shares.visitors.networks_of(visitor_id)
        if self._shares.rooms.is_within_share(networks, bound=bound, taken=count):
            return None
        for room_id in (await session.exec(self._idle().limit(_CANDIDATES))).all():
            if not self._list_present(room_id) and self._shares.rooms.may_displace(
                networks, room_id, bound=bound
            ):
                query = self._idle().where(RoomRow.id == room_id)
                displaced = await session.exec(query.with_for_update(skip_locked=True))
                if displaced.first():
                    expiring = update(RoomRow).where(col(RoomRow.id) == room_id)
                    await session.exec(expiring.values(expires_at=self._clock()))
                    return room_id
        if count >= bound:
            raise LimitReached(N_("There are too many rooms right now. Please come back later."))
        raise LimitReached(
            N_("Too many rooms were made from your network. Please come back later.")
        )

    def _idle(self) -> SelectOfScalar[str]:
        """Select empty rooms that only their creator has joined, the earliest expiry first."""
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


def _normalize_new_name(name: str) -> str:
    """Return the normalized name; raise `InvalidRoom` if it cannot be one."""
    name = normalize_room_name(name)
    if "://" in name:
        raise InvalidRoom(N_("That is an address. Please type a name for the room."))
    return name
