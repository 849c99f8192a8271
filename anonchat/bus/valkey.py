"""The bus of many nodes: Valkey or Redis carries what one of them says to the others."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from ..errors import StartError
from ..events import (
    Event,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    RoomEnded,
    RoomRead,
    RoomsRead,
    RoomsStirred,
)
from ..ids import new_id
from ..nouns import Room
from ..valkey import Command, Line, Valkey, ValkeyLost
from .codec import Codec, OtherGroupKey
from .group_key import CHANNEL as _GROUP
from .group_key import GroupKeyAgreement, OtherSecret
from .memory import MemoryBus

_ALL = "anonchat:all"
_ROOM = "anonchat:room:"
_WAITING_MOST = 20_000
_AT_ONCE = 500
_ROUND_SECONDS = 1.0
_SILENCE_SECONDS = 3.0
_START_SECONDS = 4.0
_AGREEMENT_SECONDS = 10.0
_ATTENTION_SECONDS = 2.0
_STIR_SECONDS = 0.5
_STIRRED_AT_ONCE = 200
_READ_AT_ONCE = 200
_BACKOFF_SECONDS = (0.1, 1.0)
_FAREWELL_SECONDS = 2.0
_PACKED_AT_ONCE = 50  # then others have their turn
_log = logging.getLogger(__name__)


class ValkeyBus(MemoryBus):
    """Tells its own node at once, and the others over one line that each of them listens to.

    What is told while the line is down is lost: whoever comes back is told `NewsMissed`, and looks
    into the database. That costs nobody a message, for the database was asked first.

    What travels is sealed with the group key, and what people have written also as it is at rest:
    `conceal` does that to an event, or says that there is nothing left to tell, and `reveal` undoes
    it, or says that it cannot be opened here yet.
    """

    is_up = False

    def __init__(
        self,
        valkey: Valkey,
        *,
        secret: str,
        conceal: Callable[[Event], Awaitable[Event | None]],
        reveal: Callable[[Event], Awaitable[Event | None]],
    ) -> None:
        super().__init__()
        self._valkey = valkey
        self._codec = Codec(secret)
        self.agreement = GroupKeyAgreement(secret, valkey)
        self._conceal = conceal
        self._reveal = reveal
        self._name = new_id().encode()
        self._waiting: deque[tuple[str, Event]] = deque()
        self._sending = asyncio.Lock()
        self._wake = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._joined = asyncio.Event()
        self._is_stranger = False
        self._has_lost = False
        self._line: Line | None = None
        self._last_heard = 0.0
        self._attended: Counter[str] = Counter()  # by channel, as all that follow
        self._hearing: dict[str, object] = {}
        self._awaited: dict[str, asyncio.Event] = {}
        self._late: set[str] = set()  # attended, while what was said there was not heard yet
        self._missed = asyncio.Event()
        self._stirred: dict[str, Room] = {}
        self._gone: dict[str, int] = {}
        self._read: dict[tuple[str, str], RoomRead] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def publish(self, event: Event) -> None:
        """Hand the event to the listeners here, and let it travel to the others."""
        await self.tell(event)
        self.send(event)

    def send(self, event: Event) -> None:
        """Let the event travel; of what is said in a room, all others hear that it was."""
        match event:
            case MessagePosted(room):
                self._stirred[room.id] = room
                self._let_wait(_ROOM + room.id, event)
            case MessagesGone(room_id, seqs):
                self._gone[room_id] = max(self._gone.get(room_id, 0), *seqs)
                self._let_wait(_ROOM + room_id, event)
            case RoomRead(visitor_id, room_id):  # there are more of them than of anything else
                self._read[visitor_id, room_id] = event
            case RoomEnded(room_id):
                self._stirred.pop(room_id, None)
                self._let_wait(_ALL, event)
            case _:
                self._let_wait(_ALL, event)

    async def attend(self, room_id: str) -> None:
        """Hear, once this returns, all that is said in a room; later, if the line is down."""
        channel = _ROOM + room_id
        self._attended[channel] += 1
        if channel in self._hearing:
            return
        awaited = self._awaited.setdefault(channel, asyncio.Event())
        try:
            if self._line is None:
                raise ValkeyLost
            await self._line.ask("SUBSCRIBE", channel)
            async with asyncio.timeout(_ATTENTION_SECONDS):
                await awaited.wait()
        except (ValkeyLost, TimeoutError):
            self._late.add(channel)

    def leave(self, room_id: str) -> None:
        """Need not hear what is said in a room any more."""
        channel = _ROOM + room_id
        self._attended[channel] -= 1
        if not self._attended[channel]:
            del self._attended[channel]
            self._awaited.pop(channel, None)

    def hearing(self, room_id: str) -> object | None:
        """Return a mark of the time in which all that is said in a room was heard, and is."""
        return self._hearing.get(_ROOM + room_id)

    async def count_others(self) -> int:
        """Return how many other nodes hear now what is told to all; 0 if nobody can say."""
        with suppress(ValkeyLost):
            _, count = await self._valkey.call("PUBSUB", "NUMSUB", _ALL)
            return max(0, int(count) - 1)
        return 0

    def miss(self) -> None:
        """Let it be told, soon and once, that something may have been missed."""
        self._missed.set()

    async def start(self) -> None:
        """Begin to hear the other nodes. Raises `StartError` if that is impossible."""
        heard = self._awaited[_ALL] = asyncio.Event()
        self._joined.clear()
        self._is_stranger = False
        listening = asyncio.create_task(self._keep_listening(), name="bus listens")
        self._tasks = [
            listening,
            asyncio.create_task(self._keep_sending(), name="bus sends"),
            asyncio.create_task(self._keep_stirring(), name="bus stirs"),
            asyncio.create_task(self._keep_telling_of_gaps(), name="bus tells"),
        ]
        reason = ""
        try:
            async with asyncio.timeout(_START_SECONDS):
                await heard.wait()
        except TimeoutError:
            reason = f"ANONCHAT_BUS_URL: {await self._find_reason()}"
        else:
            try:
                async with asyncio.timeout(_AGREEMENT_SECONDS):
                    await self._joined.wait()
            except TimeoutError:
                reason = "ANONCHAT_BUS_URL: the other nodes do not share their group key"
        if self._is_stranger:
            reason = "ANONCHAT_SECRET_KEY is not that of the other nodes"
        if reason:
            await self.stop()
            raise StartError(reason)

    async def _find_reason(self) -> str:
        """Return why nothing can be heard."""
        try:
            await self._valkey.call("PING")
        except ValkeyLost as lost:
            if lost.is_stranger:
                return "the name or the password is wrong"
        return "nobody answers there"

    async def stop(self) -> None:
        """Send what waits, and hear nothing any more."""
        with suppress(ValkeyLost, TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                while (self._waiting or self._sending.locked()) and self.is_up:
                    await self._send_some()
        await _end(self._tasks)
        self.is_up = False

    def _let_wait(self, channel: str, event: Event) -> None:
        if len(self._waiting) >= _WAITING_MOST:
            self._lose()
        self._waiting.append((channel, event))
        self._wake.set()

    def _lose(self) -> None:
        """Let go of what waits: the others are told that they have missed something."""
        self._waiting.clear()
        self._has_lost = True

    async def _keep_sending(self) -> None:
        pause = _BACKOFF_SECONDS[0]
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._waiting or self._has_lost:
                    await self._send_some()
                pause = _BACKOFF_SECONDS[0]
            except ValkeyLost:
                self._wake.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _BACKOFF_SECONDS[1])

    async def _send_some(self) -> None:
        async with self._sending:
            batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
            has_lost, self._has_lost = self._has_lost, False  # more may be lost while these travel
            try:
                commands = await self._pack(batch)
                if has_lost:
                    commands.insert(0, self._publish(_ALL, NewsMissed()))
                await self._valkey.call_all(commands)
            except ValkeyLost:
                self._lose()
                raise

    async def _pack(self, batch: list[tuple[str, Event]]) -> list[Command]:
        commands = []
        for number, (channel, event) in enumerate(batch, 1):
            try:
                concealed = await self._conceal(event)
            except Exception:  # one broken event must not silence the node
                _log.exception("an event cannot be sent: %s", type(event).__name__)
                self._has_lost = True
                continue
            if concealed:
                commands.append(self._publish(channel, concealed))
            if number % _PACKED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return commands

    def _publish(self, channel: str, event: Event) -> Command:
        group = self.agreement.current
        if group is None:
            raise ValkeyLost("no group key yet")
        return "PUBLISH", channel, self._name + self._codec.pack(event, group, channel=channel)

    async def _keep_stirring(self) -> None:
        while True:
            await asyncio.sleep(_STIR_SECONDS)
            stirred, self._stirred = list(self._stirred.values()), {}
            gone, self._gone = self._gone, {}
            while stirred or gone:
                some, stirred = stirred[:_STIRRED_AT_ONCE], stirred[_STIRRED_AT_ONCE:]
                self.send(RoomsStirred(tuple(some), gone))
                gone = {}
            marks, self._read = list(self._read.values()), {}
            for begin in range(0, len(marks), _READ_AT_ONCE):
                self.send(RoomsRead(tuple(marks[begin : begin + _READ_AT_ONCE])))

    async def _keep_telling_of_gaps(self) -> None:
        while True:
            await self._missed.wait()
            self._missed.clear()
            await self.tell(NewsMissed())

    async def _keep_listening(self) -> None:
        pause = _BACKOFF_SECONDS[0]
        while True:
            try:
                async with self._valkey.listening() as line:
                    # The last one says: all.
                    await line.ask("SUBSCRIBE", _GROUP, *self._attended, _ALL)
                    pause = _BACKOFF_SECONDS[0]
                    await self._attend_to(line)
            except ValkeyLost:
                self._lose_line()
            except OtherSecret:
                self._lose_line()
                if not self._is_stranger:
                    _log.error("the nodes on this bus have another ANONCHAT_SECRET_KEY")
                self._is_stranger = True
                self._joined.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _BACKOFF_SECONDS[1])

    async def _attend_to(self, line: Line) -> None:
        """Hear what comes over the line until it is lost, or nothing was heard for too long."""
        self._last_heard = time.monotonic()
        self._subscribed.clear()
        tasks = [
            asyncio.create_task(self._hear(line), name="bus hears"),
            asyncio.create_task(self._keep_group_key(), name="bus keeps the group key"),
        ]
        try:
            while True:
                done, _ = await asyncio.wait(
                    tasks, timeout=_ROUND_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    await task
                if time.monotonic() - self._last_heard > _SILENCE_SECONDS:
                    raise ValkeyLost("silent")
                await line.ask("PING")
                await self._tidy(line)
        finally:
            ending = asyncio.ensure_future(_end(tasks))
            while not ending.done():
                with suppress(asyncio.CancelledError):  # none of them may outlive the bus
                    await asyncio.shield(ending)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # it was told above, or nobody asks any more

    async def _keep_group_key(self) -> None:
        """Agree with the other nodes on the group key, and see that it stays the same.

        Raises `ValkeyLost` if it does not: then all is begun anew, as after any gap.
        """
        await self._subscribed.wait()
        await self.agreement.agree(self.count_others)
        self._join()
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            with suppress(ValkeyLost):  # the line is lost too, or the next round succeeds
                if await self.agreement.renew():
                    continue
                break
        raise ValkeyLost("another group key")

    def _join(self) -> None:
        """Note that from now on all is heard, and can be read."""
        self.is_up, self._is_stranger = True, False
        self._joined.set()
        if self.gaps:
            _log.warning("the bus is back: what was missed is looked up")
            self._missed.set()

    async def _tidy(self, line: Line) -> None:
        """Ask for what could not be asked for before, and for nothing that nobody attends."""
        self._late &= self._attended.keys()
        if self._line and self._late:
            await line.ask("SUBSCRIBE", *self._late)
        if idle := [each for each in self._hearing if each not in self._attended]:
            for channel in idle:
                del self._hearing[channel]
            await line.ask("UNSUBSCRIBE", *idle)

    async def _hear(self, line: Line) -> None:
        while True:
            kind, channel, *rest = await line.hear()
            self._last_heard = time.monotonic()
            if kind == b"message" and channel == _GROUP.encode():
                with suppress(ValkeyLost):  # who has asked asks again
                    await self.agreement.take_in(rest[0])
            elif kind == b"message":
                await self._take_in(channel.decode(), rest[0])
            elif kind == b"subscribe":
                self._begin_to_hear(channel.decode(), line)
            elif kind == b"unsubscribe":
                self._cease_to_hear(channel.decode())

    async def _take_in(self, channel: str, data: bytes) -> None:
        name, sealed = data[: len(self._name)], data[len(self._name) :]
        group = self.agreement.current
        if name == self._name or group is None:  # before the start nothing was read yet
            return
        try:
            packed = self._codec.unpack(sealed, group, channel=channel)
            event = packed and await self._reveal(packed)
        except OtherGroupKey:
            self._miss(channel)
            return
        except Exception:  # one broken event must not deafen the node
            _log.exception("an event cannot be read")
            self._miss(channel)
            return
        if isinstance(event, NewsMissed):
            self._missed.set()
        elif isinstance(event, RoomsRead):
            for mark in event.marks:
                await self.tell(mark)
        elif event:
            await self.tell(event)

    def _miss(self, channel: str) -> None:
        """Note that something was said on a channel that cannot be read here."""
        if channel in self._hearing:
            self._hearing[channel] = object()
        self._missed.set()

    def _begin_to_hear(self, channel: str, line: Line) -> None:
        if channel == _GROUP:
            return
        if awaited := self._awaited.pop(channel, None):
            awaited.set()
        if channel != _ALL:
            self._hearing.setdefault(channel, object())
            if channel in self._late:
                self._late.discard(channel)
                self._missed.set()
            return
        self._line = line
        self._subscribed.set()

    def _cease_to_hear(self, channel: str) -> None:
        """Note that a room is not heard any more; one that is attended is asked for again."""
        self._hearing.pop(channel, None)
        if channel in self._attended and channel not in self._awaited:
            self._late.add(channel)

    def _lose_line(self) -> None:
        if self.is_up:
            _log.error("the bus is lost: other nodes are heard again once it is back")
            self.gaps += 1
        self.is_up, self._line = False, None
        self._hearing.clear()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended: the client may take a cancellation for its own."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_BACKOFF_SECONDS[0])
