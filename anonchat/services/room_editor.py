"""Changes of rooms by their owners."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MessageRow, RoomRow

from ..bus import Bus
from ..entities import Room
from ..errors import N_, InvalidLifetime, NotFound, Unavailable
from ..events import RoomChanged
from ..ids import new_id
from ..lifetimes import check_lifetimes, require_shorter_messages, room_lifetime
from ..limits.rate_limits import Limits
from ..room_rules import check_rules
from ..runtime.clock import Clock
from ..security.key_names import list_texts_keys, texts_key_name
from ..security.keystore import KeyStore
from ..security.row_cipher import RowCipher
from ..settings import Settings
from ..storage.conflicts import WriteConflict, destroying_keys_on_conflict, retry_on_conflict
from ..storage.database import Database
from ..storage.room_doors import RoomDoors
from ..storage.room_names import RoomNameKeys, RoomNames
from ..storage.room_owner import require_owned_room
from ..text.lookalikes import SKELETON_VERSION, check_new_room_name
from ..text.normalization import normalize_new_room_name, normalize_topic, normalize_unwanted


class RoomEditor:
    """Changes the names, topics, lifetimes and rules of rooms."""

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
        names: RoomNames,
        doors: RoomDoors,
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._keys = keys
        self._cipher = cipher
        self._names = names
        self._doors = doors

    async def update(
        self,
        room_id: str,
        *,
        visitor_id: str,
        name: str | None = None,
        topic: str | None = None,
        listed: bool | None = None,
        message_ttl: timedelta | None = None,
        room_ttl: timedelta | None = None,
        password: str | None = None,
        locked: bool | None = None,
        asks: bool | None = None,
        members_max: int | None = None,
        paused: bool | None = None,
        slow_mode: timedelta | None = None,
        unwanted: Sequence[str] | None = None,
        address: str = "",
    ) -> Room:
        """Change a room; allowed for its owner. What is `None` stays; `""` removes a password.

        The slug stays too, so that links still work. Messages that were posted keep their lifetime,
        and the room lives at least as long. The previous name, topic and rules cannot be decrypted
        in any copy afterwards. Raises `NotAMember`, `NotAllowed`, `NotFound`, `InvalidRules` or
        `RateLimited`, and what `create` does.
        """
        changes = _drop_missing(
            name=None if name is None else normalize_new_room_name(name),
            topic=None if topic is None else normalize_topic(topic),
            listed=listed,
            message_ttl=message_ttl,
            room_ttl=room_ttl,
        )
        rules = _drop_missing(
            locked=locked,
            asks=asks,
            members_max=members_max,
            paused=paused,
            slow_mode=slow_mode,
            unwanted=None if unwanted is None else normalize_unwanted(unwanted),
        )
        password_key = None
        if password is not None:
            async with self._database.read_session(visitor_id) as session:
                await require_owned_room(session, self._cipher, room_id, visitor_id)
            password_key = await self._doors.make_password_key(password, address=address)
            rules["has_password"] = bool(password_key)
        charge = self._limits.room_changes.hit_once(visitor_id)
        return await self._apply(changes, rules, password_key, room_id, visitor_id, charge)

    @retry_on_conflict
    async def _apply(
        self,
        changes: dict[str, Any],
        rules: dict[str, Any],
        password_key: bytes | None,
        room_id: str,
        visitor_id: str,
        charge: Callable[[], None],
    ) -> Room:
        """Store and publish changes of a room; return the room."""
        texts_key_id = new_id()
        async with (
            destroying_keys_on_conflict(self._keys, [texts_key_name(texts_key_id)]),
            self._database.transaction(visitor_id) as session,
        ):
            owned = await require_owned_room(session, self._cipher, room_id, visitor_id)
            name_keys = await self._claim_other_name(session, owned, replace(owned, **changes))
            row = await session.get(RoomRow, room_id, with_for_update=True, populate_existing=True)
            before = await self._cipher.fetch_room(row) if row else None
            if row is None or before is None or before.expires_at <= self._clock():
                raise NotFound
            if before.listed != owned.listed:  # changed meanwhile
                raise WriteConflict
            changes["rules"] = replace(before.rules, **rules)
            changes = {key: new for key, new in changes.items() if new != getattr(before, key)}
            stored_key = self._cipher.decrypt_password_key(row) or b""
            if password_key is None:
                password_key = stored_key
            if not changes and password_key == stored_key:
                return before
            room = replace(before, **changes)
            check_rules(self._settings, room.rules)
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
            row.rules = self._cipher.encrypt_rules(room.id, texts_key_id, room.rules, password_key)
            session.add(row)
        changed = self._cipher.decrypt_room(row)
        if changed is None:  # burnt meanwhile
            raise NotFound
        await self._bus.publish(RoomChanged(changed, was_listed=before.listed))
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
        row.listed = room.listed
        row.message_ttl = int(room.message_ttl.total_seconds())
        row.room_ttl = int(room.room_ttl.total_seconds())
        if name_keys:
            row.name_key, row.shape_key, row.folded_key = name_keys
            row.skeleton_version = SKELETON_VERSION

    async def _claim_other_name(
        self, session: AsyncSession, before: Room, room: Room
    ) -> RoomNameKeys | None:
        """Claim the name of a listed room, and lock its row; return the keys of the name.

        Returns `None` if they stay, and no keys if the room is no longer listed.
        """
        if (room.listed, room.name) == (before.listed, before.name):
            return None
        if not room.listed:
            return RoomNameKeys()
        check_new_room_name(room.name)
        keys = self._names.make_keys(room.name)
        await self._names.claim(session, room.name, keys, own_id=room.id)
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


def _drop_missing(**changes: Any) -> dict[str, Any]:
    """Return the changes that are not `None`."""
    return {field: value for field, value in changes.items() if value is not None}
