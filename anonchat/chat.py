"""The composition root: builds the parts and starts them. No behaviour."""

import logging

from .bus import Bus, MemoryBus
from .clock import Clock, CommonTime, SteadyClock
from .database import Database
from .janitor import Janitor
from .keystore import KeyStore
from .ledger import Ledger
from .limits import Limits
from .puzzle import Puzzle
from .seal import Hasher
from .secret import keys_path, obtain_secret
from .services.expiry import Expiry, Purge
from .services.identity import Identity
from .services.lobby import Lobby
from .services.memberships import Memberships
from .services.messages import Messages
from .services.presence import Presence
from .services.rooms import Rooms
from .settings import Settings
from .vault import Vault

_log = logging.getLogger(__name__)


class Chat:
    """The whole chat without a face.

    >>> chat = Chat(Settings(data_dir="data"))
    >>> await chat.start()
    >>> visitor, token = await chat.identity.come_in("Ann")
    >>> room = await chat.rooms.open("night train", visitor_id=visitor.id)
    >>> await chat.memberships.join(room.id, visitor_id=visitor.id)
    >>> await chat.messages.post(room.id, visitor_id=visitor.id, text="hello")
    """

    def __init__(
        self, settings: Settings, *, bus: Bus | None = None, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self._time = CommonTime()
        self.clock = clock = clock or SteadyClock(wall=self._time)
        self.bus = bus = bus or MemoryBus()
        self._keys = keys = KeyStore(keys_path(settings), obtain_secret(settings))
        hasher = Hasher(lambda: keys.hash_key)
        self._database = database = Database(settings.database_location)
        vault = Vault(keys)
        self.limits = limits = Limits(settings, clock)
        self.puzzle = puzzle = Puzzle(settings.puzzle_bits, clock=clock, hasher=hasher)

        self.ledger = Ledger(
            database=database,
            keys=keys,
            hasher=hasher,
            interval=settings.janitor_interval,
        )
        self.lobby = Lobby(database=database, bus=bus, clock=clock, vault=vault)
        self.presence = Presence(bus=bus)
        self.identity = Identity(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            puzzle=puzzle,
            keys=keys,
            vault=vault,
            hasher=hasher,
        )
        self.rooms = Rooms(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            keys=keys,
            vault=vault,
            hasher=hasher,
        )
        self.memberships = Memberships(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            vault=vault,
            hasher=hasher,
        )
        self.expiry = Expiry(
            database=database,
            bus=bus,
            clock=clock,
            keys=keys,
            vault=vault,
            ledger=self.ledger,
            end_room=self.rooms.end,
            forget=self.identity.forget,
        )
        self.messages = Messages(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            keys=keys,
            vault=vault,
            hasher=hasher,
            is_member=self.memberships.has,
            renew_span=self.expiry.renew_span,
        )
        self.janitor = Janitor(self._purge, interval=settings.janitor_interval)

    async def start(self) -> None:
        """Open the stores, finish what a crash has left, and start the janitor."""
        self._keys.open()
        await self._database.open()
        await self._look_at_the_time()
        self.clock.begin()
        if reached := await self.ledger.open():
            self.clock.resume(reached)
        await self.expiry.reconcile()
        done = await self.expiry.purge()
        await self.expiry.renew_spans()
        if done.messages or done.rooms or done.visitors:
            _log.info("what had expired before this start is gone: %s", done)
        await self.lobby.open()
        self.janitor.start()

    async def stop(self) -> None:
        """Finish what was accepted, and close everything."""
        await self.janitor.stop()
        await self.messages.finish()
        await self.memberships.write_read_marks()
        await self._database.close()
        self._keys.close()

    async def is_ready(self) -> bool:
        """Tell whether the database answers."""
        return await self._database.is_answering()

    async def _look_at_the_time(self) -> None:
        """Go by the time of the database, as all nodes do; while it does not answer, by ours."""
        if answer := await self._database.tell_time():
            self._time.learn(*answer)

    async def _purge(self) -> Purge:
        await self._look_at_the_time()
        done = await self.expiry.purge()
        await self.rooms.finish_burning()
        await self.memberships.write_read_marks()
        await self.expiry.renew_spans()
        return done
