"""Stores posts in batches: posts that arrive during a commit share the next one."""

import asyncio
from collections import deque
from collections.abc import Callable

from ..bus import Bus
from ..entities import Message
from ..errors import N_, LimitReached, MessageExpired, Unavailable
from ..events import MembersMentioned, MessagePosted
from ..limits.network_shares import NetworkShares
from .conflicts import ConnectionLost, WriteConflict
from .draft import Draft
from .message_batch import Batch, BatchStore
from .post_queue import QUEUE_FULL_TEXT, PostQueue

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
        on_stored: Callable[[MessagePosted], None],
        queue_max: int,
    ) -> None:
        """Call `on_stored` with each event before its author is answered."""
        self._batches = batches
        self._bus = bus
        self._on_stored = on_stored
        self._queue_max = queue_max
        self._queue: PostQueue[Draft] = PostQueue(queue_max, shares)
        self._writer: asyncio.Task[None] | None = None
        self._unpublished: deque[tuple[MessagePosted, MembersMentioned | None]] = deque()
        self._publisher: asyncio.Task[None] | None = None

    async def store(self, draft: Draft) -> Message:
        """Store a draft and return its message.

        Raises `MessageExpired`, `NotAMember`, `NotFound`, `RateLimited`, `LimitReached` or
        `Unavailable`.
        """
        if len(self._unpublished) >= self._queue_max:
            raise LimitReached(QUEUE_FULL_TEXT)
        self._queue.add(draft)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_queue())
        timeout = asyncio.get_running_loop().call_later(_POST_TIMEOUT_SECONDS, draft.time_out)
        draft.stored.add_done_callback(lambda _: timeout.cancel())
        return await asyncio.shield(draft.stored)  # a cancelled caller's draft is still stored

    def is_readable(self, message: Message, visitor_id: str) -> bool:
        """Return whether a message of a visitor has neither expired nor become undecryptable."""
        return self._batches.is_readable(message, visitor_id)

    async def flush(self) -> None:
        """Store and publish all accepted drafts; fail those not stored in time: `Unavailable`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SHUTDOWN_SECONDS
        while (tasks := self._list_running()) and loop.time() < deadline:
            await asyncio.wait(tasks, timeout=deadline - loop.time())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS)
        for draft in self._queue:
            draft.time_out()

    def _list_running(self) -> list[asyncio.Task[None]]:
        return [task for task in (self._writer, self._publisher) if task and not task.done()]

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
                self._publish(batch)
                self._resolve_drafts(drafts, batch)
            failures = 0
            self._queue.remove(drafts)
            if len(drafts) < _SMALL_BATCH:  # a larger batch costs no more: let it fill
                await asyncio.sleep(_COLLECT_SECONDS)

    def _publish(self, batch: Batch) -> None:
        """Publish events in order, without waiting: a listener may be slow, or wait for a post."""
        for draft, message in batch.new_messages:
            if room := batch.rooms.get(draft.room_id):
                event = MessagePosted(room, message, draft.visitor_id)
                self._on_stored(event)
                self._unpublished.append((event, _describe_mentions(draft, message)))
        if self._unpublished and (self._publisher is None or self._publisher.done()):
            self._publisher = asyncio.create_task(self._publish_queue())

    async def _publish_queue(self) -> None:
        while self._unpublished:
            event, mentioned = self._unpublished.popleft()
            if self._batches.is_readable(event.message, event.visitor_id):  # else deleted meanwhile
                await self._bus.publish(event)
                if mentioned:
                    await self._bus.publish(mentioned)

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


def _describe_mentions(draft: Draft, message: Message) -> MembersMentioned | None:
    visitor_ids = tuple(mention.visitor_id for mention in draft.mentioned)
    return MembersMentioned(message.room_id, message.seq, visitor_ids) if visitor_ids else None
