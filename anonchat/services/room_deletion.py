"""Ends of rooms: burnt by their owners, closed by the operator, or expired."""

from contextlib import suppress
from datetime import datetime

from sqlmodel import col, delete, select, update

from models import MemberRow, MessageRow, RoomRow

from ..bus import Bus
from ..errors import NotFound, Unavailable
from ..events import RoomEnded
from ..runtime.clock import Clock
from ..security.key_names import list_texts_keys, room_key_name
from ..security.keystore import KeyStore
from ..security.row_cipher import RowCipher
from ..storage.conflicts import retry_on_conflict
from ..storage.database import Database
from ..storage.message_deletion import delete_messages
from ..storage.purge_stats import count_purged
from ..storage.room_names import RoomNames
from ..storage.room_owner import require_owned_room


class RoomDeletion:
    """Ends rooms: destroys their keys and deletes their rows."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        keys: KeyStore,
        cipher: RowCipher,
        names: RoomNames,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._keys = keys
        self._cipher = cipher
        self._names = names
        self._burning: set[str] = set()

    async def burn(self, room_id: str, *, visitor_id: str) -> None:
        """End a room now and delete its messages; allowed for its owner.

        Raises `NotAMember`, `NotAllowed`, `Unavailable`, or `NotFound` if it has already ended.
        """
        async with self._database.read_session(visitor_id) as session:
            await require_owned_room(session, self._cipher, room_id, visitor_id)
        await self._destroy(room_id)
        with suppress(Unavailable):  # the next purge deletes the unreadable rows
            await self.end(room_id)

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
