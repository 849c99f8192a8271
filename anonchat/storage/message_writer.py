"""Stores posts in batches: posts that arrive during a commit share the next one."""

import asyncio
from collections.abc import Iterator

from ..bus import Bus
from ..entities import Message
from ..errors import N_, MessageExpired, Unavailable
from ..events import MessagePosted
from ..limits.network_shares import NetworkShares
from .database import ConnectionLost, WriteConflict
from .draft import Draft
from .message_batch import Batch, BatchStore
from .post_queue import PostQueue

_BATCH_MAX = 200
_SMALL_BATCH = 20
_COLLECT_SECONDS = 0.005
_POST_TIMEOUT_SECONDS = 10
_SHUTDOWN_SECONDS = 4  # of the 10 s in which a node has to stop
_RETRY_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)  # seconds; the last one repeats


class MessageWriter:
    """Stores posts, up to 200 drafts in one commit, and publishes them afterwards."""

    def __init__(
        self,
        *,
        batches: BatchStore,
        bus: Bus,
        shares: NetworkShares,
        queue_max: int,
    ) -> None:
        self._batches = batches
        self._bus = bus
        self._queue: PostQueue[Draft] = PostQueue(queue_max, shares)
        self._writer: asyncio.Task[None] | None = None

    async def store(self, draft: Draft) -> Message:
        """Store a draft and return its message.

        Raises `MessageExpired`, `NotAMember`, `NotFound`, `RateLimited`, `LimitReached` or
        `Unavailable`.
        """
        self._queue.add(draft)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_queue())
        timeout = asyncio.get_running_loop().call_later(_POST_TIMEOUT_SECONDS, draft.time_out)
        draft.stored.add_done_callback(lambda _: timeout.cancel())
        return await asyncio.shield(draft.stored)  # a cancelled caller's draft is still stored

    async def flush(self) -> None:
        """Store all accepted drafts; fail those that are not stored in time with `Unavailable`."""
        if self._writer:
            await asyncio.wait([self._writer], timeout=_SHUTDOWN_SECONDS)
            self._writer.cancel()
            await asyncio.wait([self._writer], timeout=_SHUTDOWN_SECONDS)
            for draft in self._queue:
                draft.time_out()

    async def _write_queue(self) -> None:
        """Store all queued drafts, with retries while the server is unreachable.

        A retry creates no duplicates: what a failed attempt stored is found by its `dedup_key`.
        """
        failures = 0
        while self._queue:
            drafts = self._queue.next_batch(_BATCH_MAX)
            try:
                batch = await self._batches.commit(drafts)
            except Unavailable as error:
                if not isinstance(error, WriteConflict | ConnectionLost):  # a retry does not help
                    for draft in drafts:
                        draft.reject(error)
                self._queue.retain(lambda draft: draft.is_pending)
                await asyncio.sleep(_RETRY_DELAYS[min(failures, len(_RETRY_DELAYS) - 1)])
                failures += 1
                continue
            except Exception as error:  # each caller needs an answer
                for draft in drafts:
                    draft.reject(error)
            else:
                for event in self._list_events(batch):
                    await self._bus.publish(event)
                # Afterwards, so that an author who then reads the room finds the message.
                self._resolve_drafts(drafts, batch)
            failures = 0
            self._queue.remove(drafts)
            if len(drafts) < _SMALL_BATCH:  # a larger batch costs no more: let it fill
                await asyncio.sleep(_COLLECT_SECONDS)

    def _list_events(self, batch: Batch) -> Iterator[MessagePosted]:
        """Yield the events of all messages that are still readable."""
        for draft, message in batch.new_messages:
            room = batch.rooms.get(draft.room_id)
            if room and self._batches.is_readable(message, draft.visitor_id):
                yield MessagePosted(room, message, draft.visitor_id)

    def _resolve_drafts(self, drafts: list[Draft], batch: Batch) -> None:
        """Answer all callers."""
        for draft in drafts:
            message = batch.existing.get(draft.dedup_key)
            if message and self._batches.is_readable(message, draft.visitor_id):
                draft.resolve(message)
            elif draft.dedup_key in batch.undecryptable:
                draft.reject(Unavailable())
            else:
                draft.reject(MessageExpired(N_("That message has come to its end already.")))
