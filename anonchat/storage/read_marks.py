"""How far members have read: marks that are kept in memory until they are written in batches."""

import sys
from collections.abc import Sequence

from sqlmodel import col, select, tuple_

from models import MemberRow, RoomRow

from ..runtime.batches import batches
from .batch_statements import UPDATE_READ_SEQ
from .database import Database

_SIZE_MAX = 200_000
_BATCH = 500  # small, because posting waits for the transaction


class ReadMarks:
    """The highest `seq` that each member has read, of members on all nodes.

    A mark that is lost before it is written makes the unread count too high.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._marks: dict[tuple[str, str], int] = {}  # by room and visitor
        self._own: set[tuple[str, str]] = set()  # those that this node has to write

    def get(self, room_id: str, visitor_id: str) -> int:
        """Return the mark of a member, or 0 if it is not higher than the one in the database."""
        return self._marks.get((room_id, visitor_id), 0)

    def add_own(self, room_id: str, visitor_id: str, seq: int) -> bool:
        """Return whether `seq` is a higher mark; this node will write it once it is added."""
        if not self.get(room_id, visitor_id) < seq <= sys.maxsize:
            return False
        if self._has_space(room_id, visitor_id):
            self._own.add((room_id, visitor_id))
        return True

    def add(self, room_id: str, visitor_id: str, seq: int) -> None:
        """Raise a mark to `seq`."""
        if seq > self.get(room_id, visitor_id) and self._has_space(room_id, visitor_id):
            self._marks[room_id, visitor_id] = seq

    def drop(self, room_id: str, visitor_id: str) -> None:
        """Forget the mark of a member."""
        self._marks.pop((room_id, visitor_id), None)
        self._own.discard((room_id, visitor_id))

    async def write_own(self) -> list[tuple[str, str, int]]:
        """Write the marks of this node; return what changed: room, visitor and `seq`.

        A mark is kept until it is written; marks beyond the last message of a room are ignored.
        Other nodes write their own marks. Raises `Unavailable`.
        """
        self._marks = {key: seq for key, seq in self._marks.items() if key in self._own}
        return await self._write(dict(self._marks))

    async def write_of_visitor(self, visitor_id: str) -> list[tuple[str, str, int]]:
        """Write one visitor's marks, including those received from other nodes."""
        marks = {key: seq for key, seq in self._marks.items() if key[1] == visitor_id}
        return await self._write(marks, group=visitor_id)

    async def _write(
        self, marks: dict[tuple[str, str], int], *, group: str = ""
    ) -> list[tuple[str, str, int]]:
        written = []
        for keys in batches(sorted(marks), _BATCH):
            written += await self._write_batch(marks, keys, group=group)
        for key, seq in marks.items():
            if self._marks.get(key) == seq:  # else it was raised meanwhile
                self.drop(*key)
        return written

    async def _write_batch(
        self, marks: dict[tuple[str, str], int], keys: Sequence[tuple[str, str]], *, group: str
    ) -> list[tuple[str, str, int]]:
        room_id, visitor_id = col(MemberRow.room_id), col(MemberRow.visitor_id)
        query = (
            select(room_id, visitor_id, MemberRow.read_seq, RoomRow.last_seq)
            .join(RoomRow, col(RoomRow.id) == room_id)
            .where(tuple_(room_id, visitor_id).in_(keys))
            .order_by(room_id, visitor_id)
            .with_for_update(of=MemberRow, key_share=True)
        )
        async with self._database.transaction(group) as session:
            found = (await session.exec(query)).all()
            written = [
                (room, visitor, seq)
                for room, visitor, read_seq, last_seq in found
                if read_seq < (seq := marks[room, visitor]) <= last_seq
            ]
            if written:  # without the ORM, which would take three times as long
                rows = [
                    dict(zip(("room", "visitor", "seq"), each, strict=True)) for each in written
                ]
                await (await session.connection()).execute(UPDATE_READ_SEQ, rows)
        return written

    def _has_space(self, room_id: str, visitor_id: str) -> bool:
        return len(self._marks) < _SIZE_MAX or (room_id, visitor_id) in self._marks
