"""The bus of many nodes: Valkey or Redis carries what one of them says to the others."""

import asyncio
import logging
import time
from collections import Counter, deque
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
from ..valkey import Line, Valkey, ValkeyLost
from .codec import Codec
from .memory import MemoryBus

_ALL = "anonchat:all"
_ROOM = "anonchat:room:"
_WAITING_MOST = 20_000
_AT_ONCE = 500
_ROUND_SECONDS = 1.0
_SILENCE_SECONDS = 3.0
_START_SECONDS = 4.0
_ATTENTION_SECONDS = 2.0
_STIR_SECONDS = 0.5
_STIRRED_AT_ONCE = 200
_READ_AT_ONCE = 200
_BACKOFF_SECONDS = (0.1, 1.0)
_FAREWELL_SECONDS = 2.0
_log = logging.getLogger(__name__)


class ValkeyBus(MemoryBus):
    """Tells its own node at once, and the others over one line that each of them listens to.

    What is told while the line is down is lost: whoever comes back is told `NewsMissed`, and looks
    into the database. That costs nobody a message, for the database was asked first.
    """

    is_up = False

    def __init__(self, valkey: Valkey, *, secret: str) -> None:
        super().__init__()
        self._valkey = valkey
        self._codec = Codec(secret)
        self._name = new_id().encode()
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._wake = asyncio.Event()
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
        listening = asyncio.create_task(self._keep_listening(), name="bus listens")
        self._tasks = [
            listening,
            asyncio.create_task(self._keep_sending(), name="bus sends"),
            asyncio.create_task(self._keep_stirring(), name="bus stirs"),
            asyncio.create_task(self._keep_telling_of_gaps(), name="bus tells"),
        ]
        try:
            async with asyncio.timeout(_START_SECONDS):
                await heard.wait()
        except TimeoutError as error:
            await self.stop()
            raise StartError(f"ANONCHAT_BUS_URL: {await self._find_reason()}") from error

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
                while self._waiting and self.is_up:
                    await self._send_some()
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()  # more than once: the client may take one for its own
            await asyncio.wait(pending, timeout=_BACKOFF_SECONDS[0])
        self.is_up = False

    def _let_wait(self, channel: str, event: Event) -> None:
        if len(self._waiting) >= _WAITING_MOST:
            self._lose()
        packed = self._codec.pack(event, channel=channel)
        self._waiting.append((channel, self._name + packed))
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
        batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        if self._has_lost:
            missed = self._name + self._codec.pack(NewsMissed(), channel=_ALL)
            batch.insert(0, (_ALL, missed))
        self._has_lost = False  # here, for more may be lost while these travel
        try:
            await self._valkey.call_all([("PUBLISH", channel, data) for channel, data in batch])
        except ValkeyLost:
            self._lose()
            raise

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
                    await line.ask("SUBSCRIBE", *self._attended, _ALL)  # the last one says: all
                    pause = _BACKOFF_SECONDS[0]
                    await self._attend_to(line)
            except ValkeyLost:
                self._lose_line()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _BACKOFF_SECONDS[1])

    async def _attend_to(self, line: Line) -> None:
        """Hear what comes over the line until it is lost, or nothing was heard for too long."""
        self._last_heard = time.monotonic()
        hearing = asyncio.create_task(self._hear(line), name="bus hears")
        try:
            while True:
                done, _ = await asyncio.wait([hearing], timeout=_ROUND_SECONDS)
                if done:
                    await hearing
                if time.monotonic() - self._last_heard > _SILENCE_SECONDS:
                    raise ValkeyLost("silent")
                await line.ask("PING")
                await self._tidy(line)
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])
            if not hearing.cancelled():
                hearing.exception()  # it was told above, or nobody asks any more

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
            if kind == b"message":
                await self._take_in(channel.decode(), rest[0])
            elif kind == b"subscribe":
                self._begin_to_hear(channel.decode(), line)
            elif kind == b"unsubscribe":
                self._cease_to_hear(channel.decode())

    async def _take_in(self, channel: str, data: bytes) -> None:
        name, sealed = data[: len(self._name)], data[len(self._name) :]
        if name == self._name:
            return
        event = self._codec.unpack(sealed, channel=channel)
        if isinstance(event, NewsMissed):
            self._missed.set()
        elif isinstance(event, RoomsRead):
            for mark in event.marks:
                await self.tell(mark)
        elif event:
            await self.tell(event)

    def _begin_to_hear(self, channel: str, line: Line) -> None:
        if awaited := self._awaited.pop(channel, None):
            awaited.set()
        if channel != _ALL:
            self._hearing.setdefault(channel, object())
            if channel in self._late:
                self._late.discard(channel)
                self._missed.set()
            return
        self._line, self.is_up = line, True
        if self.gaps:
            _log.warning("the bus is back: what was missed is looked up")
            self._missed.set()

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
