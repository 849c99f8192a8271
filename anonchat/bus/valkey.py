"""The event bus of several nodes, over publish/subscribe of Valkey or Redis."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from ..errors import StartupError
from ..events import Event, EventsLost, RoomsRead
from ..ids import new_id
from .base import Bus
from .client import BACKOFF_SECONDS, Subscription, Valkey, ValkeyUnavailable
from .codec import Codec, GroupKeyMismatch
from .group_key import GROUP_KEY_CHANNEL, GroupKeyAgreement, SecretKeyMismatch
from .outbox import Outbox
from .subscriptions import ALL_NODES, Subscriptions, room_channel

_CHECK_SECONDS = 1.0
_RECEIVE_TIMEOUT_SECONDS = 3.0
_CONNECT_TIMEOUT_SECONDS = 4.0
_GROUP_KEY_TIMEOUT_SECONDS = 10.0
_DRAIN_TIMEOUT_SECONDS = 2.0
_log = logging.getLogger(__name__)


class ValkeyBus(Bus):
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
        self._subscribed = asyncio.Event()
        self._joined = asyncio.Event()  # the group key is agreed, or the secret key is another
        self._has_other_secret = False
        self._last_received_at = 0.0
        self._gap = asyncio.Event()
        self._outbox = Outbox(valkey, self._encode)
        self._subscriptions = Subscriptions(self.report_gap)
        self._tasks: list[asyncio.Task[None]] = []

    def publish_remote(self, event: Event) -> None:
        """Queue the event for the other nodes."""
        self._outbox.add(event)

    async def subscribe_room(self, room_id: str) -> None:
        """Subscribe to a room once this returns, or later if the connection is down."""
        await self._subscriptions.add(room_channel(room_id))

    def unsubscribe_room(self, room_id: str) -> None:
        """Undo one `subscribe_room`; the connection unsubscribes within a second."""
        self._subscriptions.remove(room_channel(room_id))

    def room_epoch(self, room_id: str) -> object | None:
        """Return the subscription epoch of a room, or `None` if it is not subscribed now."""
        return self._subscriptions.epoch(room_channel(room_id))

    async def count_others(self) -> int:
        """Return how many other nodes are subscribed now; 0 if Valkey is unavailable."""
        with suppress(ValkeyUnavailable):
            _, count = await self._valkey.call("PUBSUB", "NUMSUB", ALL_NODES)
            return max(0, int(count) - 1)
        return 0

    def report_gap(self) -> None:
        """Publish `EventsLost` on this node soon; repeated calls are combined."""
        self._gap.set()

    async def start(self) -> None:
        """Connect to the other nodes. Raises `StartupError` if that fails."""
        self._subscribed.clear()
        self._joined.clear()
        self._has_other_secret = False
        self._tasks = [
            asyncio.create_task(self._connection_loop(), name="bus connection"),
            asyncio.create_task(self._outbox.send_loop(), name="bus send"),
            asyncio.create_task(self._outbox.summary_loop(), name="bus summaries"),
            asyncio.create_task(self._gap_loop(), name="bus gaps"),
        ]
        reason = ""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                await self._subscribed.wait()
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
                while self._outbox.is_pending and self.is_up:
                    await self._outbox.send_batch()
        await _cancel(self._tasks)
        self.is_up = False

    async def _encode(self, channel: str, event: Event) -> bytes | None:
        encrypted = await self._encrypt_event(event)
        if encrypted is None:
            return None
        group = self.agreement.current
        if group is None:
            raise ValkeyUnavailable("no group key yet")
        return self._node_id + self._codec.encode(encrypted, group, channel=channel)

    async def _gap_loop(self) -> None:
        while True:
            await self._gap.wait()
            self._gap.clear()
            await self.publish_local(EventsLost())

    async def _connection_loop(self) -> None:
        pause = BACKOFF_SECONDS[0]
        while True:
            try:
                async with self._valkey.open_subscription() as subscription:
                    # ALL_NODES comes last: its confirmation means that all are subscribed.
                    channels = (GROUP_KEY_CHANNEL, *self._subscriptions.channels, ALL_NODES)
                    await subscription.send_command("SUBSCRIBE", *channels)
                    pause = BACKOFF_SECONDS[0]
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
            pause = min(2 * pause, BACKOFF_SECONDS[1])

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
                await self._subscriptions.update(subscription)
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
                self._subscriptions.on_unsubscribed(channel.decode())

    async def _handle_message(self, channel: str, data: bytes) -> None:
        node_id, encrypted = data[: len(self._node_id)], data[len(self._node_id) :]
        group = self.agreement.current
        if node_id == self._node_id or group is None:  # without key: not started yet
            return
        try:
            received = self._codec.decode(encrypted, group, channel=channel)
            event = received and await self._decrypt_event(received)
        except GroupKeyMismatch:
            self._subscriptions.record_gap(channel)
            return
        except Exception:  # a failing event must not stop the receiving
            _log.exception("event from another node dropped, decryption failed")
            self._subscriptions.record_gap(channel)
            return
        if isinstance(event, EventsLost):
            self._gap.set()
        elif isinstance(event, RoomsRead):
            for mark in event.marks:
                await self.publish_local(mark)
        elif event:
            await self.publish_local(event)

    def _on_subscribed(self, channel: str, subscription: Subscription) -> None:
        if channel == ALL_NODES:
            self._subscriptions.connection = subscription
            self._subscribed.set()
        elif channel != GROUP_KEY_CHANNEL:
            self._subscriptions.on_subscribed(channel)

    def _mark_down(self) -> None:
        if self.is_up:
            _log.error("Valkey connection lost: no events from other nodes until it is restored")
            self.gaps += 1
        self.is_up = False
        self._subscriptions.disconnect()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended, repeatedly: the client may swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=BACKOFF_SECONDS[0])
