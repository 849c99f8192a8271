"""The composition root: builds the parts and starts them. No behaviour."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from .bus import Bus, MemoryBus, ValkeyBus
from .busy_networks import BusyNetworks
from .clock import Clock, CommonTime, SteadyClock
from .confusables import UNICODE_VERSION
from .database import Database
from .errors import Unavailable, WrongKeys
from .event_sealing import EventSealing
from .events import NewsMissed
from .files import require_writable
from .janitor import Janitor
from .keystore import KeyStore
from .ledger import Ledger
from .limits import Limits
from .metrics import Metrics
from .network_shares import NetworkShares
from .open_screens import OpenScreens
from .persistence import PersistenceWatch
from .pulse import Pulse
from .puzzle import Puzzle
from .seal import Hasher
from .secret import keys_path, obtain_secret
from .services.expiry import Expiry, Purge
from .services.identity import Identity
from .services.inventory import Inventory
from .services.lobby import Lobby
from .services.memberships import Memberships
from .services.messages import Messages
from .services.presence import Presence
from .services.rooms import Rooms
from .settings import Settings
from .sharedkeys import SharedKeys
from .valkey import Valkey
from .vault import Vault
from .work_budget import WorkBudget

_BEAT_SECONDS = 0.25
_STORE_SECONDS = 5.0
_KEY_TRIES = 100
_KEY_TRIES_ALONE = 10
_KEY_TRY_SECONDS = 0.2
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
        self.is_draining = False
        self._time = CommonTime()
        self.clock = clock = clock or SteadyClock(wall=self._time)
        secret = obtain_secret(settings)
        self._valkey = Valkey(settings.bus_url) if settings.has_peers else None
        self._persistence = PersistenceWatch(self._valkey) if self._valkey else None
        if self._valkey and self._persistence:
            bus = valkey_bus = ValkeyBus(
                self._valkey,
                secret=secret,
                conceal=lambda event: self._event_sealing.conceal(event),
                reveal=lambda event: self._event_sealing.reveal(event),
            )
            keys: KeyStore = SharedKeys(
                keys_path(settings),
                secret,
                node=settings.node_id,
                valkey=self._valkey,
                persistence=self._persistence,
                bus=bus,
                agreement=valkey_bus.agreement,
                clock=clock,
            )
        else:
            bus = bus or MemoryBus()
            keys = KeyStore(keys_path(settings), secret)
        self.bus, self._keys = bus, keys
        hasher = Hasher(lambda: keys.hash_key)
        self._database = database = Database(settings.database_location)
        vault = Vault(keys)
        self._event_sealing = EventSealing(vault)  # it needs the keys, and they need the bus
        self.limits = limits = Limits(settings, clock=clock, bus=bus, hasher=hasher)
        self.work = WorkBudget(limits)
        self.busy_networks = BusyNetworks(limits)
        self.network_shares = shares = NetworkShares(bus)
        self.open_screens = OpenScreens()
        self.puzzle = puzzle = Puzzle(settings.puzzle_bits, clock=clock, bus=bus, hasher=hasher)
        self.hasher = hasher
        self.metrics = metrics = Metrics()

        self.ledger = Ledger(
            database=database,
            keys=keys,
            hasher=hasher,
            interval=settings.janitor_interval,
        )
        self.presence = Presence(bus=bus, node=settings.node_id)
        self.identity = Identity(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            work=self.work,
            busy_networks=self.busy_networks,
            puzzle=puzzle,
            shares=shares,
            open_screens=self.open_screens,
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
            shares=shares,
            keys=keys,
            vault=vault,
            hasher=hasher,
            list_present=self.presence.list_present,
        )
        self.lobby = Lobby(
            database=database, bus=bus, clock=clock, vault=vault, find_room=self.rooms.find
        )
        self.memberships = Memberships(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            shares=shares,
            vault=vault,
            hasher=hasher,
            list_present=self.presence.list_present,
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
        self.inventory = Inventory(database=database, clock=clock, vault=vault)
        self.messages = Messages(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            shares=shares,
            keys=keys,
            vault=vault,
            hasher=hasher,
            metrics=metrics,
            is_member=self.memberships.has,
            renew_span=self.expiry.renew_span,
        )
        self._pulse = Pulse(self._beat, seconds=_BEAT_SECONDS, name="pulse")
        self._store_pulse = Pulse(self._look_at_store, seconds=_STORE_SECONDS, name="store")
        self.janitor = Janitor(self.purge, interval=settings.janitor_interval)
        self._watch()

    async def start(self) -> Purge:
        """Open the stores, finish what a crash has left, and start the janitor.

        Returns what had expired by then.
        """
        self._keys.open()
        await self.bus.start()
        if self._persistence:
            await self._persistence.require_none()
        await self.presence.introduce()
        await self._keys.meet()
        await self._database.open()
        await self._look_at_the_time()
        self.clock.begin()
        if reached := await self._open_ledger():
            self.clock.resume(reached)
        await self.expiry.reconcile()
        await self._keys.join()
        done = await self._purge_expired()
        await self.expiry.renew_spans()
        await self._update_skeletons()
        if done.messages or done.rooms or done.visitors:
            _log.info("what had expired before this start is gone: %s", done)
        await self.lobby.open()
        self.presence.tell()
        self.bus.send(NewsMissed())  # we may have died before we told what we did
        self.janitor.start()
        self._pulse.start()
        self._store_pulse.start()
        return done

    async def _open_ledger(self) -> datetime | None:
        """Open the ledger, once other nodes that have its keys have shared them.

        A node that stood still for longer than its group key is reserved shares them a moment late,
        and for a part of that moment it does not listen.
        """
        alone = 0
        for _ in range(_KEY_TRIES):
            try:
                return await self.ledger.open()
            except WrongKeys:
                alone = 0 if await self.bus.count_others() else alone + 1
                if self._keys.is_head_agreed or alone == _KEY_TRIES_ALONE:
                    raise
            await asyncio.sleep(_KEY_TRY_SECONDS)
            await self._keys.meet()
        return await self.ledger.open()

    async def _update_skeletons(self) -> None:
        """Replace the stored skeletons that an earlier release made by other rules."""
        try:
            count = await self.identity.update_skeletons() + await self.rooms.update_skeletons()
        except Unavailable as error:  # those that are left are done at the next start
            _log.warning(
                "skeletons of names could not be updated, look-alikes may exist: %s", error
            )
        else:
            if count:
                _log.info(
                    "skeletons of %s names were updated for Unicode %s", count, UNICODE_VERSION
                )

    async def stop(self) -> None:
        """Finish what was accepted, and close everything."""
        self._pulse.stop()
        await self._store_pulse.end()
        await self.janitor.stop()
        await self.messages.finish()
        with suppress(Unavailable):  # the rest has to end, too
            await self.memberships.write_read_marks()
        self.presence.say_goodbye()
        await self._keys.finish()
        await self.bus.stop()
        if self._valkey:
            await self._valkey.close()
        await self._database.close()
        self._keys.close()

    async def _look_at_the_time(self) -> None:
        """Go by the time of the database, as all nodes do; while it does not answer, by ours."""
        if answer := await self._database.tell_time():
            self._time.learn(*answer)

    async def purge(self) -> Purge:
        """Remove what has expired, and finish what was interrupted."""
        await self._look_at_the_time()
        with self._database.precedence():
            done = await self._purge_expired()
            await self._keys.mend()
            await self.expiry.destroy_orphans()
            await self.rooms.finish_burning()
            await self.identity.finish_forgetting()
            await self.memberships.write_read_marks()
            await self.expiry.renew_spans()
            await self.identity.mark_open_screens_seen()
            await self.identity.release_forgotten()
        return done

    async def _beat(self) -> None:
        self.limits.tell()
        await self.presence.pulse()

    async def _look_at_store(self) -> None:
        """Store no keys in a Valkey that writes to disk; store them again once it does not."""
        if self._persistence:
            was_unsafe = self._persistence.is_unsafe
            await self._persistence.look()
            if was_unsafe and not self._persistence.is_unsafe:
                await self._keys.mend()

    @property
    def is_bus_unsafe(self) -> bool:
        """Whether Valkey writes what it holds to disk."""
        return self._persistence is not None and self._persistence.is_unsafe

    async def list_silent(self) -> list[str]:
        """Return which parts that it stands on do not answer."""
        silent = [] if await self._database.is_answering() else ["database"]
        return silent if self.bus.is_up else [*silent, "bus"]

    async def is_disk_writable(self) -> bool:
        """Tell whether there is room where the keys are, and the database if it is a file."""
        file = self.settings.database_file
        folders = {self.settings.data_dir, *([file.parent] if file else [])}
        try:
            for folder in folders:
                await asyncio.to_thread(require_writable, folder)
        except OSError:
            return False
        return True

    def _watch(self) -> None:
        """Let the metrics ask the parts for what they know."""
        watch, watch_counts = self.metrics.watch, self.metrics.watch_counts
        watch("anonchat_keys", "Keys that live.", self._keys.count)
        watch("anonchat_draining", "Whether this node is leaving.", lambda: self.is_draining)
        watch("anonchat_bus_up", "Whether other nodes are heard.", lambda: self.bus.is_up)
        self.metrics.watch_total(
            "anonchat_bus_gaps", "How often other nodes were not heard.", lambda: self.bus.gaps
        )
        watch(
            "anonchat_bus_persists",
            "Whether Valkey writes what it holds to disk.",
            lambda: self.is_bus_unsafe,
        )
        self.metrics.watch_total(
            "anonchat_bus_snapshots",
            "How many snapshots Valkey was seen to write to disk.",
            lambda: self._persistence.snapshots if self._persistence else 0,
        )
        watch_counts(
            "anonchat_limits_hit",
            "How often a limit has held somebody back.",
            "limit",
            self.limits.count_refused,
        )
        watch_counts(
            "anonchat_database_errors",
            "What the database has refused, by the driver's word for it.",
            "kind",
            lambda: self._database.errors,
        )

    async def _purge_expired(self) -> Purge:
        done = await self.expiry.purge()
        self.metrics.note_purge(
            messages=done.messages,
            rooms=done.rooms,
            visitors=done.visitors,
            lag=done.lag.total_seconds(),
        )
        return done
