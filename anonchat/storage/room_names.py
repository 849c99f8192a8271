"""Finds rooms by name and slug, through keyed hashes, because the names are stored encrypted."""

import asyncio
import secrets
from datetime import datetime
from typing import NamedTuple, NoReturn

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import RoomRow

from ..crypto import Hasher
from ..entities import Room
from ..errors import N_, InvalidRoom, RoomNameConfusable, RoomNameTaken
from ..ids import new_unlisted_slug
from ..runtime.batches import process_in_batches
from ..runtime.clock import Clock
from ..security.key_names import room_key_name
from ..security.keystore import KeyStore
from ..security.row_cipher import RowCipher
from ..text.lookalikes import SKELETON_VERSION, skeletons
from ..text.normalization import fold_case, make_slug
from .closed_names import close_names, is_any_closed
from .conflicts import retry_on_conflict
from .database import Database

_BATCH = 50
_RESERVED = {"mine"}  # /api/v1/rooms/mine lists the visitor's own rooms


class RoomNameKeys(NamedTuple):
    """Keyed hashes of a name without case and of its two skeletons; `None` for unlisted rooms."""

    exact: bytes | None = None
    shape: bytes | None = None
    folded: bytes | None = None


class RoomNames:
    """The names and slugs of all rooms; two listed rooms cannot have names that look alike."""

    def __init__(
        self, *, database: Database, clock: Clock, keys: KeyStore, cipher: RowCipher, hasher: Hasher
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._cipher = cipher
        self._hasher = hasher

    def name_key(self, name: str) -> bytes:
        """Return the keyed hash of a normalized name, without case."""
        return self._hasher.hash("room name", fold_case(name))

    def slug_key(self, slug: str) -> bytes:
        """Return the keyed hash of a slug."""
        return self._hasher.hash("slug", slug)

    def make_keys(self, name: str) -> RoomNameKeys:
        """Return all keys of a normalized name."""
        shape, folded = skeletons(name)
        return RoomNameKeys(
            self.name_key(name),
            self._hasher.hash("room name skeleton", shape),
            self._hasher.hash("room name skeleton without case", folded),
        )

    async def find_by_name(self, session: AsyncSession, name: str) -> Room | None:
        """Return the live listed room with that name, ignoring case.

        Raises `Unavailable` if only another node has its key.
        """
        return await self._find(session, col(RoomRow.name_key) == self.name_key(name))

    async def find_by_slug(self, session: AsyncSession, slug: str) -> Room | None:
        """Return the live room with that slug; raise as `find_by_name` does."""
        return await self._find(session, col(RoomRow.slug_key) == self.slug_key(slug))

    async def _find(self, session: AsyncSession, condition: ColumnElement[bool]) -> Room | None:
        query = select(RoomRow).where(condition, col(RoomRow.expires_at) > self._clock())
        row = (await session.exec(query)).first()
        return await self._cipher.fetch_room(row) if row else None

    async def claim(
        self, session: AsyncSession, name: str, keys: RoomNameKeys, *, own_id: str = ""
    ) -> None:
        """Raise `RoomNameTaken`, `RoomNameConfusable` or `InvalidRoom` unless the name is free.

        Ended rooms that are not purged yet lose the name. Input may be a name or a slug, so a name
        must not equal the slug of another room. `own_id` is the room that gets the name, if it
        exists already; it is locked too, so that all rooms are locked in order.
        """
        namesake = await self.find_by_slug(session, fold_case(name))
        if namesake and namesake.id != own_id:
            raise RoomNameTaken
        query = select(RoomRow).where(
            or_(
                RoomRow.id == own_id,
                RoomRow.name_key == keys.exact,
                RoomRow.shape_key == keys.shape,
                RoomRow.folded_key == keys.folded,
            )
        )
        query = query.order_by(col(RoomRow.id)).with_for_update()
        holders = [row for row in (await session.exec(query)).all() if row.id != own_id]
        for holder in sorted(holders, key=lambda each: each.name_key != keys.exact):
            if holder.expires_at > self._clock() and not self._keys.is_destroyed(
                room_key_name(holder.id)
            ):
                await self._refuse(holder, keys)
            holder.name_key, holder.slug_key = None, self.slug_key(new_unlisted_slug())
            holder.shape_key = holder.folded_key = None
            session.add(holder)
        await session.flush()
        # After the holders: a name is closed before its room ends.
        if await is_any_closed(session, self._list_hashes(name, keys), now=self._clock()):
            raise InvalidRoom(N_("This name is closed for now. Please choose another one."))

    async def _refuse(self, holder: RoomRow, keys: RoomNameKeys) -> NoReturn:
        if holder.name_key == keys.exact:
            raise RoomNameTaken
        await self._cipher.fetch_room_keys([holder])
        room = self._cipher.decrypt_room(holder)
        if room is None:
            raise RoomNameConfusable
        raise RoomNameConfusable(
            N_("There is a room with a name that looks the same: {name}"), name=room.name
        )

    async def choose_slug(self, session: AsyncSession, name: str) -> str:
        """Return a free slug for a listed room of this name."""
        base = make_slug(name)
        for slug in (base, *(f"{base}-{number}" for number in range(2, 6))):
            query = select(RoomRow.id).where(RoomRow.slug_key == self.slug_key(slug))
            if slug not in _RESERVED and (await session.exec(query)).first() is None:
                return slug
        return f"{base}-{secrets.token_hex(4)}"

    @retry_on_conflict
    async def close(self, room: Room, *, until: datetime) -> None:
        """Refuse the name and slug of this room, or one that looks the same, `until` then."""
        hashes = {
            hash
            for name in (room.name, room.slug)
            for hash in self._list_hashes(name, self.make_keys(name))
        }
        async with self._database.transaction() as session:
            await close_names(session, hashes, until=until)

    def _list_hashes(self, name: str, keys: RoomNameKeys) -> set[bytes]:
        """Return the hashes by which a closed name is recognized, or one that looks like it."""
        return {self.slug_key(make_slug(name)), *(key for key in keys if key)}

    async def update_skeletons(self) -> int:
        """Recompute name keys stored by older skeleton rules; return how many were processed.

        If two existing names look alike by the new rules, both stay; one of them then has no
        skeleton key. Nodes may run this concurrently.
        """
        return await process_in_batches(self._update_some_skeletons)

    @retry_on_conflict
    async def _update_some_skeletons(self, after: str) -> list[str]:
        """Process one batch; return its ids, including rows skipped because they do not decrypt."""
        query = select(RoomRow).where(RoomRow.id > after, col(RoomRow.name_key).is_not(None))
        query = query.where(RoomRow.skeleton_version != SKELETON_VERSION)
        query = query.order_by(col(RoomRow.id)).limit(_BATCH).with_for_update()
        async with self._database.transaction() as session:
            rows = (await session.exec(query)).all()
            await self._cipher.fetch_room_keys(rows)
            keys = {}
            for row in rows:
                if room := self._cipher.decrypt_room(row):
                    keys[row.id] = self.make_keys(room.name)
                    await asyncio.sleep(0)  # a long name takes milliseconds
            taken = await _find_taken_keys(session, keys)
            for row in rows:
                if own := keys.get(row.id):
                    taken -= {row.shape_key, row.folded_key}
                    row.shape_key = None if own.shape in taken else own.shape
                    row.folded_key = None if own.folded in taken else own.folded
                    row.skeleton_version = SKELETON_VERSION
                    taken |= {row.shape_key, row.folded_key}
        return [row.id for row in rows]


async def _find_taken_keys(
    session: AsyncSession, keys: dict[str, RoomNameKeys]
) -> set[bytes | None]:
    """Return all skeleton keys of rooms that have one of these keys."""
    query = select(RoomRow.shape_key, RoomRow.folded_key).where(
        or_(
            col(RoomRow.shape_key).in_({each.shape for each in keys.values()}),
            col(RoomRow.folded_key).in_({each.folded for each in keys.values()}),
        )
    )
    return {key for row in await session.exec(query) for key in row}
