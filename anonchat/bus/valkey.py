"""The event bus of several nodes, over publish/subscribe of Valkey or Redis."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from ..entities import Room
from ..errors import StartupError
from ..events import (
    Event,
    EventsLost,
    MessagePosted,
    MessagesDeleted,
    RoomActivity,
    RoomEnded,
    RoomRead,
    RoomsRead,
)
from ..ids import new_id
from .client import Command, Subscription, Valkey, ValkeyUnavailable
from .codec import Codec, GroupKeyMismatch
from .group_key import GROUP_KEY_CHANNEL, GroupKeyAgreement, SecretKeyMismatch
from .memory import MemoryBus

_ALL_NODES = "anonchat:all"
_ROOM_PREFIX = "anonchat:room:"
_QUEUE_MAX = 20_000
_BATCH_MAX = 500
_CHECK_SECONDS = 1.0
_RECEIVE_TIMEOUT_SECONDS = 3.0
_CONNECT_TIMEOUT_SECONDS = 4.0
_GROUP_KEY_TIMEOUT_SECONDS = 10.0
_SUBSCRIBE_TIMEOUT_SECONDS = 2.0
_SUMMARY_SECONDS = 0.5
_ROOMS_PER_EVENT = 200
_READS_PER_EVENT = 200
_BACKOFF_SECONDS = (0.1, 1.0)
_DRAIN_TIMEOUT_SECONDS = 2.0
_ENCODED_PER_STEP = 50  # events between two yields to the event loop
_log = logging.getLogger(__name__)


class ValkeyBus(MemoryBus):
    """Delivers events on this node at once, and to the other nodes over publish/subscribe.

    Events are lost while a connection is down. After reconnecting, a node publishes `EventsLost`
    locally and reads the changes from the database. No message is lost: the database has it first.

    Events are encrypted with the group key. Before that, `encrypt_event` encrypts texts with their
    keys at rest, or returns `None` if there is nothing left to send. `decrypt_event` reverses it,
    or returns `None` if the keys are not known here yet.
    """

    is_up = False

    def __init__(
        self,
        valkey: Valkey,
        *,
        secret: str,
        encrypt_event: Callable[[Event], Awaitable[Event | None]],
        decrypt_event: Callable[[Event], Awaitable[Event | None]],
    ) -> None:
        super().__init__()
        self._valkey = valkey
        self._codec = Codec(secret)
        self.agreement = GroupKeyAgreement(secret, valkey)
        self._encrypt_event = encrypt_event
        self._decrypt_event = decrypt_event
        self._node_id = new_id().encode()
        self._queue: deque[tuple[str, Event]] = deque()
        self._send_lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._joined = asyncio.Event()  # the group key is agreed, or the secret key is another
        self._has_other_secret = False
        self._has_dropped_events = False
        self._subscription: Subscription | None = None
        self._last_received_at = 0.0
        self._wanted: Counter[str] = Counter()  # subscribers by channel
        self._epochs: dict[str, object] = {}  # by channel, while subscribed
        self._confirmations: dict[str, asyncio.Event] = {}  # by channel
        self._overdue: set[str] = set()  # channels that are wanted, but not confirmed in time
        self._gap = asyncio.Event()
        self._active_rooms: dict[str, Room] = {}
        self._deleted_seqs: dict[str, int] = {}
        self._read_marks: dict[tuple[str, str], RoomRead] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def publish(self, event: Event) -> None:
        """Deliver the event on this node, and queue it for the other nodes."""
        await self.publish_local(event)
        self.publish_remote(event)

    def publish_remote(self, event: Event) -> None:
        """Queue the event for the other nodes; room events are also summarized for all nodes."""
        match event:
            case MessagePosted(room):
                self._active_rooms[room.id] = room
                self._enqueue(_ROOM_PREFIX + room.id, event)
            case MessagesDeleted(room_id, seqs):
                self._deleted_seqs[room_id] = max(self._deleted_seqs.get(room_id, 0), *seqs)
                self._enqueue(_ROOM_PREFIX + room_id, event)
            case RoomRead(visitor_id, room_id):  # the most frequent event: sent in batches
                self._read_marks[visitor_id, room_id] = event
            case RoomEnded(room_id):
                self._active_rooms.pop(room_id, None)
                self._enqueue(_ALL_NODES, event)
            case _:
                self._enqueue(_ALL_NODES, event)

    async def subscribe_room(self, room_id: str) -> None:
        """Subscribe to a room once this returns, or later if the connection is down."""
        channel = _ROOM_PREFIX + room_id
        self._wanted[channel] += 1
        if channel in self._epochs:
            return
        confirmation = self._confirmations.setdefault(channel, asyncio.Event())
        try:
            if self._subscription is None:
                raise ValkeyUnavailable
            await self._subscription.send_command("SUBSCRIBE", channel)
            async with asyncio.timeout(_SUBSCRIBE_TIMEOUT_SECONDS):
                await confirmation.wait()
        except (ValkeyUnavailable, TimeoutError):
            self._overdue.add(channel)

    def unsubscribe_room(self, room_id: str) -> None:
        """Undo one `subscribe_room`; the connection unsubscribes within a second."""
        channel = _ROOM_PREFIX + room_id
        self._wanted[channel] -= 1
        if not self._wanted[channel]:
            del self._wanted[channel]
            self._confirmations.pop(channel, None)

    def room_epoch(self, room_id: str) -> object | None:
        """Return the subscription epoch of a room, or `None` if it is not subscribed now."""
        return self._epochs.get(_ROOM_PREFIX + room_id)

    async def count_others(self) -> int:
        """Return how many other nodes are subscribed now; 0 if Valkey is unavailable."""
        with suppress(ValkeyUnavailable):
            _, count = await self._valkey.call("PUBSUB", "NUMSUB", _ALL_NODES)
            return max(0, int(count) - 1)
        return 0

    def report_gap(self) -> None:
        """Publish `EventsLost` on this node soon; repeated calls are combined."""
        self._gap.set()

    async def start(self) -> None:
        """Connect to the other nodes. Raises `StartupError` if that fails."""
        subscribed = self._confirmations[_ALL_NODES] = asyncio.Event()
        self._joined.clear()
        self._has_other_secret = False
        self._tasks = [
            asyncio.create_task(self._connection_loop(), name="bus connection"),
            asyncio.create_task(self._send_loop(), name="bus send"),
            asyncio.create_task(self._summary_loop(), name="bus summaries"),
            asyncio.create_task(self._gap_loop(), name="bus gaps"),
        ]
        reason = ""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                await subscribed.wait()
        except TimeoutError:
            reason = f"ANONCHAT_BUS_URL: {await self._explain_failure()}"
        else:
            try:
                async with asyncio.timeout(_GROUP_KEY_TIMEOUT_SECONDS):
                    await self._joined.wait()
            except TimeoutError:
                reason = "ANONCHAT_BUS_URL: the other nodes do not share their group key"
        if self._has_other_secret:
            reason = "ANONCHAT_SECRET_KEY differs from that of the other nodes"
        if reason:
            await self.stop()
            raise StartupError(reason)

    async def _explain_failure(self) -> str:
        """Return why the subscription failed."""
        try:
            await self._valkey.call("PING")
        except ValkeyUnavailable as error:
            if error.is_authentication_error:
                return "wrong user name or password"
        return "no answer from Valkey"

    async def stop(self) -> None:
        """Send the queued events, for at most 2 s, and disconnect."""
        with suppress(ValkeyUnavailable, TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT_SECONDS):
                while (self._queue or self._send_lock.locked()) and self.is_up:
                    await self._send_batch()
        await _cancel(self._tasks)
        self.is_up = False

    def _enqueue(self, channel: str, event: Event) -> None:
        if len(self._queue) >= _QUEUE_MAX:
            self._drop_queue()
        self._queue.append((channel, event))
        self._wake.set()

    def _drop_queue(self) -> None:
        """Drop all queued events; the other nodes will receive `EventsLost`."""
        self._queue.clear()
        self._has_dropped_events = True

    async def _send_loop(self) -> None:
        pause = _BACKOFF_SECONDS[0]
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._queue or self._has_dropped_events:
                    await self._send_batch()
                pause = _BACKOFF_SECONDS[0]
            except ValkeyUnavailable:
                self._wake.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _BACKOFF_SECONDS[1])

    async def _send_batch(self) -> None:
        async with self._send_lock:
            batch = [self._queue.popleft() for _ in range(min(_BATCH_MAX, len(self._queue)))]
            # Reset before sending, because more events may be dropped meanwhile.
            has_dropped, self._has_dropped_events = self._has_dropped_events, False
            try:
                commands = await self._encode_batch(batch)
                if has_dropped:
                    commands.insert(0, self._publish_command(_ALL_NODES, EventsLost()))
                await self._valkey.call_pipeline(commands)
            except ValkeyUnavailable:
                self._drop_queue()
                raise

    async def _encode_batch(self, batch: list[tuple[str, Event]]) -> list[Command]:
        commands = []
        for number, (channel, event) in enumerate(batch, 1):
            try:
                encrypted = await self._encrypt_event(event)
            except Exception:  # a failing event must not stop the sending
                _log.exception("event not sent, encryption failed: %s", type(event).__name__)
                self._has_dropped_events = True
                continue
            if encrypted:
                commands.append(self._publish_command(channel, encrypted))
            if number % _ENCODED_PER_STEP == 0:
                await asyncio.sleep(0)
        return commands

    def _publish_command(self, channel: str, event: Event) -> Command:
        group = self.agreement.current
        if group is None:
            raise ValkeyUnavailable("no group key yet")
        return "PUBLISH", channel, self._node_id + self._codec.encode(event, group, channel=channel)

    async def _summary_loop(self) -> None:
        while True:
            await asyncio.sleep(_SUMMARY_SECONDS)
            rooms, self._active_rooms = list(self._active_rooms.values()), {}
            deleted, self._deleted_seqs = self._deleted_seqs, {}
            while rooms or deleted:
                batch, rooms = rooms[:_ROOMS_PER_EVENT], rooms[_ROOMS_PER_EVENT:]
                self.publish_remote(RoomActivity(tuple(batch), deleted))
                deleted = {}
            marks, self._read_marks = list(self._read_marks.values()), {}
            for begin in range(0, len(marks), _READS_PER_EVENT):
                self.publish_remote(RoomsRead(tuple(marks[begin : begin + _READS_PER_EVENT])))

    async def _gap_loop(self) -> None:
        while True:
            await self._gap.wait()
            self._gap.clear()
            await self.publish_local(EventsLost())

    async def _connection_loop(self) -> None:
        pause = _BACKOFF_SECONDS[0]
        while True:
            try:
                async with self._valkey.open_subscription() as subscription:
                    # _ALL_NODES comes last: its confirmation means that all are subscribed.
                    channels = (GROUP_KEY_CHANNEL, *self._wanted, _ALL_NODES)
                    await subscription.send_command("SUBSCRIBE", *channels)
                    pause = _BACKOFF_SECONDS[0]
                    await self._run_subscription(subscription)
            except ValkeyUnavailable:
                self._mark_down()
            except SecretKeyMismatch:
                self._mark_down()
                if not self._has_other_secret:
                    _log.error("other nodes on this bus have another ANONCHAT_SECRET_KEY")
                self._has_other_secret = True
                self._joined.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _BACKOFF_SECONDS[1])

    async def _run_subscription(self, subscription: Subscription) -> None:
        """Receive messages until the connection is lost or nothing was received for 3 s."""
        self._last_received_at = time.monotonic()
        self._subscribed.clear()
        tasks = [
            asyncio.create_task(self._receive_messages(subscription), name="bus messages"),
            asyncio.create_task(self._group_key_loop(), name="bus group key"),
        ]
        try:
            while True:
                done, _ = await asyncio.wait(
                    tasks, timeout=_CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    await task
                if time.monotonic() - self._last_received_at > _RECEIVE_TIMEOUT_SECONDS:
                    raise ValkeyUnavailable("receive timeout")
                await subscription.send_command("PING")
                await self._update_subscriptions(subscription)
        finally:
            cancelling = asyncio.ensure_future(_cancel(tasks))
            while not cancelling.done():
                with suppress(asyncio.CancelledError):  # no task may outlive the bus
                    await asyncio.shield(cancelling)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # mark as retrieved: raised above, or no longer relevant

    async def _group_key_loop(self) -> None:
        """Agree with the other nodes on the group key, then check that it does not change.

        Raises `ValkeyUnavailable` if it changes, which starts a new connection as after any gap.
        """
        await self._subscribed.wait()
        await self.agreement.agree(self.count_others)
        self._mark_up()
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            with suppress(ValkeyUnavailable):  # if it lasts, the subscription fails too
                if await self.agreement.renew():
                    continue
                break
        raise ValkeyUnavailable("group key changed")

    def _mark_up(self) -> None:
        """Record that all events are received and can be decrypted from now on."""
        self.is_up, self._has_other_secret = True, False
        self._joined.set()
        if self.gaps:
            _log.warning("Valkey connection restored: reading missed changes from the database")
            self._gap.set()

    async def _update_subscriptions(self, subscription: Subscription) -> None:
        """Subscribe again to overdue channels, and unsubscribe from unwanted ones."""
        self._overdue &= self._wanted.keys()
        if self._subscription and self._overdue:
            await subscription.send_command("SUBSCRIBE", *self._overdue)
        if unwanted := [channel for channel in self._epochs if channel not in self._wanted]:
            for channel in unwanted:
                del self._epochs[channel]
            await subscription.send_command("UNSUBSCRIBE", *unwanted)

    async def _receive_messages(self, subscription: Subscription) -> None:
        while True:
            kind, channel, *rest = await subscription.receive()
            self._last_received_at = time.monotonic()
            if kind == b"message" and channel == GROUP_KEY_CHANNEL.encode():
                with suppress(ValkeyUnavailable):  # the requesting node retries
                    await self.agreement.handle_packet(rest[0])
            elif kind == b"message":
                await self._handle_message(channel.decode(), rest[0])
            elif kind == b"subscribe":
                self._on_subscribed(channel.decode(), subscription)
            elif kind == b"unsubscribe":
                self._on_unsubscribed(channel.decode())

    async def _handle_message(self, channel: str, data: bytes) -> None:
        node_id, encrypted = data[: len(self._node_id)], data[len(self._node_id) :]
        group = self.agreement.current
        if node_id == self._node_id or group is None:  # without key: not started yet
            return
        try:
            received = self._codec.decode(encrypted, group, channel=channel)
            event = received and await self._decrypt_event(received)
        except GroupKeyMismatch:
            self._record_gap(channel)
            return
        except Exception:  # a failing event must not stop the receiving
            _log.exception("event from another node dropped, decryption failed")
            self._record_gap(channel)
            return
        if isinstance(event, EventsLost):
            self._gap.set()
        elif isinstance(event, RoomsRead):
            for mark in event.marks:
                await self.publish_local(mark)
        elif event:
            await self.publish_local(event)

    def _record_gap(self, channel: str) -> None:
        """Record that an event on a channel could not be decrypted."""
        if channel in self._epochs:
            self._epochs[channel] = object()
        self._gap.set()

    def _on_subscribed(self, channel: str, subscription: Subscription) -> None:
        if channel == GROUP_KEY_CHANNEL:
            return
        if confirmation := self._confirmations.pop(channel, None):
            confirmation.set()
        if channel != _ALL_NODES:
            self._epochs.setdefault(channel, object())
            if channel in self._overdue:
                self._overdue.discard(channel)
                self._gap.set()
            return
        self._subscription = subscription
        self._subscribed.set()

    def _on_unsubscribed(self, channel: str) -> None:
        """Record the end of a room subscription; renew it later if the room is still wanted."""
        self._epochs.pop(channel, None)
        if channel in self._wanted and channel not in self._confirmations:
            self._overdue.add(channel)

    def _mark_down(self) -> None:
        if self.is_up:
            _log.error("Valkey connection lost: no events from other nodes until it is restored")
            self.gaps += 1
        self.is_up, self._subscription = False, None
        self._epochs.clear()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended, repeatedly: the client may swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_BACKOFF_SECONDS[0])
