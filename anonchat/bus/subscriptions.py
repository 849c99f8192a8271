"""Which channels a node has subscribed to, and which of them it receives without gaps."""

import asyncio
from collections import Counter
from collections.abc import Callable

from .client import Subscription, ValkeyUnavailable

ALL_NODES = "anonchat:all"
_TIMEOUT_SECONDS = 2.0


def room_channel(room_id: str) -> str:
    """Return the channel for the events of a room."""
    return f"anonchat:room:{room_id}"


class Subscriptions:
    """The subscriptions to the channels of rooms; they survive the connection."""

    def __init__(self, report_gap: Callable[[], None]) -> None:
        self._report_gap = report_gap
        self._wanted: Counter[str] = Counter()  # subscribers by channel
        self._epochs: dict[str, object] = {}  # by channel, while subscribed
        self._confirmations: dict[str, asyncio.Event] = {}  # by channel
        self._overdue: set[str] = set()  # channels that are wanted, but not confirmed in time
        self.connection: Subscription | None = None

    @property
    def channels(self) -> list[str]:
        """All channels that are wanted."""
        return list(self._wanted)

    def epoch(self, channel: str) -> object | None:
        """Return the subscription epoch of a channel, or `None` if it is not subscribed now."""
        return self._epochs.get(channel)

    async def add(self, channel: str) -> None:
        """Subscribe to a channel once this returns, or later if the connection is down."""
        self._wanted[channel] += 1
        if channel in self._epochs:
            return
        confirmation = self._confirmations.setdefault(channel, asyncio.Event())
        try:
            if self.connection is None:
                raise ValkeyUnavailable
            await self.connection.send_command("SUBSCRIBE", channel)
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await confirmation.wait()
        except (ValkeyUnavailable, TimeoutError):
            self._overdue.add(channel)

    def remove(self, channel: str) -> None:
        """Undo one `add`; the next `update` unsubscribes."""
        self._wanted[channel] -= 1
        if not self._wanted[channel]:
            del self._wanted[channel]
            self._confirmations.pop(channel, None)

    async def update(self, connection: Subscription) -> None:
        """Subscribe again to overdue channels, and unsubscribe from unwanted ones."""
        self._overdue &= self._wanted.keys()
        if self.connection and self._overdue:
            await connection.send_command("SUBSCRIBE", *self._overdue)
        if unwanted := [channel for channel in self._epochs if channel not in self._wanted]:
            for channel in unwanted:
                del self._epochs[channel]
            await connection.send_command("UNSUBSCRIBE", *unwanted)

    def on_subscribed(self, channel: str) -> None:
        """Record that a channel is received from now on."""
        if confirmation := self._confirmations.pop(channel, None):
            confirmation.set()
        self._epochs.setdefault(channel, object())
        if channel in self._overdue:
            self._overdue.discard(channel)
            self._report_gap()

    def on_unsubscribed(self, channel: str) -> None:
        """Record the end of a subscription; `update` renews it if the channel is still wanted."""
        self._epochs.pop(channel, None)
        if channel in self._wanted and channel not in self._confirmations:
            self._overdue.add(channel)

    def record_gap(self, channel: str) -> None:
        """Record that an event on a channel was lost."""
        if channel in self._epochs:
            self._epochs[channel] = object()
        self._report_gap()

    def disconnect(self) -> None:
        """Record that nothing is received until the next connection."""
        self.connection = None
        self._epochs.clear()
