"""Rooms: finding and creating them."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from models import MemberRow, RoomRow, VisitorRow

from ..bus import Bus
from ..crypto import Hasher
from ..entities import Member, Room, RoomRules
from ..errors import NotFound, RoomNameConfusable, RoomNameTaken, Unavailable, UnknownVisitor
from ..events import MemberJoined, RoomOpened
from ..ids import new_id, new_unlisted_slug
from ..lifetimes import check_lifetimes, require_shorter_messages, room_lifetime
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.key_names import room_key_name, room_key_names
from ..security.keystore import KeyStore
from ..security.row_cipher import RowCipher
from ..settings import Settings
from ..storage.conflicts import destroying_keys_on_conflict, retry_on_conflict
from ..storage.database import Database
from ..storage.room_doors import RoomDoors
from ..storage.room_names import RoomNameKeys, RoomNames
from ..storage.room_places import RoomPlaces
from ..text.lookalikes import SKELETON_VERSION, check_new_room_name
from ..text.normalization import (
    fold_case,
    normalize_new_room_name,
    normalize_room_name,
    normalize_topic,
)

# The URL of a room, with or without scheme and host.
_ROOM_URL = re.compile(r"(?:(?i:https?)://)?[^\s/]*/r/([a-zA-Z0-9-]+)/?(?:[?#]\S*)?")


class Rooms:
    """Finds and creates rooms.

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
        keys: KeyStore,
        cipher: RowCipher,
        hasher: Hasher,
        names: RoomNames,
        places: RoomPlaces,
        doors: RoomDoors,
        end_room: Callable[[str], Awaitable[int]],
    ) -> None:
        """`end_room` deletes the rows of a room whose key is destroyed."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._keys = keys
        self._cipher = cipher
        self._hasher = hasher
        self._names = names
        self._places = places
        self._doors = doors
        self._end_room = end_room

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
        password: str = "",
        address: str = "",
    ) -> Room:
        """Create a room with this visitor as its owner and first member.

        No message outlives an inactive room: a `message_ttl` beyond `room_ttl` is refused, and the
        default is reduced to it. The lifetime is shorter until another visitor joins. `address` is
        that of the client: client networks take turns when passwords are hashed. Raises
        `InvalidRoom`, `InvalidLifetime`, `InvalidPassword`, `RoomNameTaken`, `RoomNameConfusable`,
        `LimitReached`, `UnknownVisitor` or `Unavailable`.
        """
        name, topic = normalize_new_room_name(name), normalize_topic(topic)
        if listed:
            check_new_room_name(name)
        check_lifetimes(self._settings, message_ttl=message_ttl, room_ttl=room_ttl)
        room_ttl = room_ttl or self._settings.room_ttl
        message_ttl = message_ttl or min(self._settings.message_ttl, room_ttl)
        require_shorter_messages(message_ttl, room_ttl)
        password_key = await self._doors.make_password_key(password, address=address)
        charge = self._limits.rooms.hit_once(visitor_id)
        room, member, displaced = await self._insert(
            name, visitor_id, listed, message_ttl, room_ttl, topic, password_key, charge
        )
        self._places.hold(room.id, visitor_id)
        if displaced:
            await self._keys.destroy([room_key_name(displaced)])
            with suppress(Unavailable):  # it is expired: the next purge deletes its rows
                await self._end_room(displaced)
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
        password_key: bytes,
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
            displaced = await self._places.reserve_room(session, visitor_id)
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
                rules=self._cipher.encrypt_rules(
                    room_id, texts_key_id, RoomRules(has_password=bool(password_key)), password_key
                ),
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
