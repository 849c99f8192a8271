"""Composition root: creates all components, starts them and stops them."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from .bus import Bus, ValkeyBus
from .bus.client import Valkey
from .bus.persistence import PersistenceMonitor
from .crypto import Hasher
from .errors import KeyStoreMismatch, Unavailable
from .events import EventsLost
from .limits.network_shares import NetworkShares
from .limits.network_throttle import NetworkThrottle
from .limits.phrase_verifier import PhraseVerifier
from .limits.rate_limits import Limits
from .limits.work_budget import WorkBudget
from .runtime.clock import Clock, DatabaseTime, MonotonicWallClock
from .runtime.metrics import Metrics
from .runtime.open_pages import OpenPages
from .runtime.scheduling import Janitor, PeriodicTask
from .security.event_cipher import EventCipher
from .security.invite_cipher import InviteCipher
from .security.local_keystore import LocalKeyStore
from .security.message_cipher import MessageCipher
from .security.proof_of_work import ProofOfWork
from .security.reaction_cipher import ReactionCipher
from .security.replicated_keystore import ReplicatedKeyStore
from .security.row_cipher import RowCipher
from .security.secret_key import get_or_create_secret_key, keys_path
from .security.standing_cipher import StandingCipher
from .services.admin_stats import AdminStats
from .services.doors import Doors
from .services.expiry import Expiry, PurgeResult
from .services.health import Health
from .services.identity import Identity
from .services.job_runs import JobRuns
from .services.key_rotation import KeyRotation
from .services.memberships import Memberships
from .services.messages import Messages
from .services.moderation import Moderation
from .services.presence import Presence
from .services.room_deletion import RoomDeletion
from .services.room_directory import RoomDirectory
from .services.room_editor import RoomEditor
from .services.room_states import RoomStates
from .services.rooms import Rooms
from .services.transcripts import Transcripts
from .services.typing_signals import TypingSignals
from .services.visitor_preferences import VisitorPreferences
from .settings import Settings
from .storage.bans import Bans
from .storage.database import Database
from .storage.departures import Departures
from .storage.invites import Invites
from .storage.knocks import Knocks
from .storage.message_batch import BatchStore
from .storage.message_export import MessageExport
from .storage.message_history import MessageHistory
from .storage.message_search import MessageSearch
from .storage.message_writer import MessageWriter
from .storage.nickname_index import NicknameIndex
from .storage.purge_stats import PurgeStatsStore
from .storage.reactions import StoredReactions
from .storage.room_doors import RoomDoors
from .storage.room_moderator import RoomModerators
from .storage.room_names import RoomNames
from .storage.room_places import RoomPlaces
from .storage.standings import Standings
from .storage.stored_members import StoredMembers
from .storage.stored_messages import StoredMessages
from .text.confusables import UNICODE_VERSION

_HEARTBEAT_SECONDS = 0.25
_VALKEY_CHECK_SECONDS = 5.0
_KEY_ATTEMPTS = 100
_KEY_ATTEMPTS_ALONE = 10
_KEY_RETRY_SECONDS = 0.2
_log = logging.getLogger(__name__)


class Chat:
    """The chat application without a user interface.

    >>> chat = Chat(Settings(data_dir="data"))
    >>> await chat.start()
    >>> visitor, token = await chat.identity.sign_in("Ann")
    >>> room = await chat.rooms.open("night train", visitor_id=visitor.id)
    >>> await chat.memberships.join(room.id, visitor_id=visitor.id)
    >>> await chat.messages.post(room.id, visitor_id=visitor.id, text="hello")
    """

    def __init__(
        self, settings: Settings, *, bus: Bus | None = None, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self._time = DatabaseTime()
        self.clock = clock = clock or MonotonicWallClock(wall=self._time)
        secret_key = get_or_create_secret_key(settings)
        self._valkey = Valkey(settings.bus_url) if settings.has_peers else None
        self._persistence = PersistenceMonitor(self._valkey) if self._valkey else None
        if self._valkey and self._persistence:
            bus = valkey_bus = ValkeyBus(
                self._valkey,
                secret=secret_key,
                encrypt_event=lambda event: self._event_cipher.encrypt_event(event),
                decrypt_event=lambda event: self._event_cipher.decrypt_event(event),
            )
            keys: LocalKeyStore | ReplicatedKeyStore = ReplicatedKeyStore(
                keys_path(settings),
                secret_key,
                node=settings.node_id,
                valkey=self._valkey,
                persistence=self._persistence,
                bus=bus,
                agreement=valkey_bus.agreement,
                clock=clock,
            )
        else:
            bus = bus or Bus()
            keys = LocalKeyStore(keys_path(settings), secret_key)
        self.bus, self._keys = bus, keys
        hasher = Hasher(lambda: keys.hash_key)
        self._database = database = Database(settings.resolved_database_url)
        cipher, message_cipher = RowCipher(keys), MessageCipher(keys)
        reaction_cipher = ReactionCipher(keys)
        reactions = StoredReactions(
            database=database, clock=clock, message_cipher=message_cipher, cipher=reaction_cipher
        )
        standing_cipher = StandingCipher(keys)
        standings = Standings(standing_cipher)
        stored_members = StoredMembers(cipher=cipher, standing_cipher=standing_cipher)
        departures = Departures(
            database=database,
            clock=clock,
            cipher=cipher,
            standings=standings,
            members=stored_members,
        )
        bans = Bans(cipher=cipher, standing_cipher=standing_cipher, most=settings.bans_per_room_max)
        stored_messages = StoredMessages(
            database=database,
            clock=clock,
            keys=keys,
            cipher=message_cipher,
            reactions=reactions,
            standings=standings,
        )
        # After the bus, which the keys need.
        self._event_cipher = EventCipher(cipher, message_cipher)
        self.limits = limits = Limits(settings, clock=clock, bus=bus, hasher=hasher)
        self.work_budget = WorkBudget(limits)
        self.network_throttle = NetworkThrottle(limits)
        self.network_shares = shares = NetworkShares(bus)
        self.open_pages = OpenPages()
        self.proof_of_work = proof_of_work = ProofOfWork(
            settings.pow_bits, clock=clock, bus=bus, hasher=hasher
        )
        self.hasher = hasher
        self.metrics = metrics = Metrics()
        self.health = Health(
            settings=settings,
            database=database,
            bus=bus,
            keys=keys,
            limits=limits,
            metrics=metrics,
            persistence=self._persistence,
        )

        self.purge_stats = PurgeStatsStore(
            database=database, keys=keys, hasher=hasher, interval=settings.janitor_interval
        )
        self.preferences = VisitorPreferences(
            database=database, bus=bus, limits=limits, cipher=cipher
        )
        self.presence = Presence(
            bus=bus, node=settings.node_id, read_preferences=self.preferences.get
        )
        self.nicknames = NicknameIndex(database=database, cipher=cipher, hasher=hasher)
        self.room_names = RoomNames(
            database=database, clock=clock, keys=keys, cipher=cipher, hasher=hasher
        )
        phrases = PhraseVerifier(limits, hasher)
        invites = Invites(
            clock=clock,
            cipher=InviteCipher(keys),
            hasher=hasher,
            most=settings.invites_per_room_max,
        )
        knocks = Knocks(
            clock=clock,
            cipher=cipher,
            hasher=hasher,
            lifetime=settings.knock_ttl,
            most=settings.knocks_per_room_max,
        )
        doors = RoomDoors(
            database=database,
            limits=limits,
            cipher=cipher,
            hasher=hasher,
            passwords=phrases,
            invites=invites,
            knocks=knocks,
        )
        self.identity = Identity(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            work=self.work_budget,
            network_throttle=self.network_throttle,
            proof_of_work=proof_of_work,
            shares=shares,
            open_pages=self.open_pages,
            keys=keys,
            cipher=cipher,
            nicknames=self.nicknames,
            phrases=phrases,
            forget_reactions=reactions.forget,
            leave_owned_rooms=departures.end_owned,
            forget_reader=stored_messages.forget_reader,
            hasher=hasher,
        )
        self.room_deletion = RoomDeletion(
            database=database, bus=bus, clock=clock, keys=keys, cipher=cipher, names=self.room_names
        )
        self.room_editor = RoomEditor(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            keys=keys,
            cipher=cipher,
            names=self.room_names,
            doors=doors,
        )
        self.job_runs = JobRuns(database=database)
        self.room_states = RoomStates(database=database, bus=bus, clock=clock, cipher=cipher)
        places = RoomPlaces(
            settings=settings, clock=clock, shares=shares, list_open=self.presence.list_open
        )
        self.rooms = Rooms(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            keys=keys,
            cipher=cipher,
            hasher=hasher,
            names=self.room_names,
            places=places,
            doors=doors,
            end_room=self.room_deletion.end,
        )
        self.room_directory = RoomDirectory(
            database=database, bus=bus, clock=clock, cipher=cipher, find_room=self.rooms.find
        )
        self.memberships = Memberships(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            cipher=cipher,
            hasher=hasher,
            places=places,
            stored=stored_members,
            standings=standings,
            departures=departures,
            bans=bans,
            doors=doors,
        )
        self.doors = Doors(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            cipher=cipher,
            moderators=RoomModerators(clock=clock, standings=standings),
            invites=invites,
            knocks=knocks,
            bans=bans,
            doors=doors,
            join=self.memberships.join,
        )
        self.typing = TypingSignals(
            bus=bus,
            clock=clock,
            limits=limits,
            require_member=self.memberships.require,
            read_preferences=self.preferences.get,
        )
        self.transcripts = Transcripts(
            bus=bus,
            clock=clock,
            limits=limits,
            export=MessageExport(database=database, clock=clock, reactions=reactions),
            require_member=self.memberships.require,
            list_open=self.presence.list_open,
        )
        self.key_rotation = KeyRotation(
            database=database,
            clock=clock,
            keys=keys,
            cipher=message_cipher,
            reaction_cipher=reaction_cipher,
        )
        self.expiry = Expiry(
            database=database,
            bus=bus,
            clock=clock,
            keys=keys,
            purge_stats=self.purge_stats,
            end_room=self.room_deletion.end,
            forget=self.identity.forget,
            leave_owned_rooms=departures.end_owned,
        )
        self.admin_stats = AdminStats(database=database, clock=clock, cipher=cipher)
        history = MessageHistory(
            database=database, bus=bus, clock=clock, cipher=message_cipher, reactions=reactions
        )
        self.moderation = Moderation(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            standings=standings,
            members=stored_members,
            departures=departures,
            bans=bans,
            messages=stored_messages,
            rotate_span_keys=self.key_rotation.rotate,
        )
        self.messages = Messages(
            settings=settings,
            bus=bus,
            clock=clock,
            limits=limits,
            hasher=hasher,
            metrics=metrics,
            writer=MessageWriter(
                batches=BatchStore(
                    settings=settings,
                    database=database,
                    clock=clock,
                    limits=limits,
                    cipher=cipher,
                    message_cipher=message_cipher,
                    standing_cipher=standing_cipher,
                ),
                bus=bus,
                shares=shares,
                on_stored=history.add,
                queue_max=settings.post_queue_max,
            ),
            history=history,
            search=MessageSearch(history=history, clock=clock),
            stored=stored_messages,
            require_member=self.memberships.require,
            find_room=self.room_directory.summary,
            list_members=self.memberships.list_all,
            rotate_span_keys=self.key_rotation.rotate,
        )
        self._heartbeat = PeriodicTask(self._tick, seconds=_HEARTBEAT_SECONDS, name="heartbeat")
        self._valkey_check = PeriodicTask(
            self._check_valkey, seconds=_VALKEY_CHECK_SECONDS, name="Valkey check"
        )
        self.janitor = Janitor(self.purge, interval=settings.janitor_interval)

    async def start(self) -> PurgeResult:
        """Open the stores, complete interrupted deletions, and start the periodic tasks.

        Returns the result of the first purge.
        """
        self._keys.open()
        await self.bus.start()
        if self._persistence:
            await self._persistence.require_disabled()
        await self.presence.announce()
        await self._keys.agree_hash_key()
        await self._database.open()
        await self._sync_clock()
        self.clock.reset()
        if last_purge := await self._open_purge_stats():
            self.clock.advance_to(last_purge)
        await self.expiry.reconcile()
        await self._keys.sync()
        done = await self._purge_expired()
        await self.key_rotation.resume()
        await self._update_skeletons()
        if done.messages or done.rooms or done.visitors:
            _log.info("purged data that expired before startup: %s", done)
        await self.room_directory.open()
        self.presence.publish_snapshot()
        self.bus.publish_remote(EventsLost())  # this node may have crashed with events unsent
        self.janitor.start()
        self._heartbeat.start()
        self._valkey_check.start()
        return done

    async def _open_purge_stats(self) -> datetime | None:
        """Open the purge statistics; retry while other nodes may still share the database's keys.

        A node that was suspended for longer than its group key lasts shares its keys late, and is
        not subscribed to the bus for part of that time. Raises `KeyStoreMismatch` if no node has
        the keys.
        """
        alone = 0
        for _ in range(_KEY_ATTEMPTS):
            try:
                return await self.purge_stats.open()
            except KeyStoreMismatch:
                alone = 0 if await self.bus.count_others() else alone + 1
                if self._keys.is_hash_key_agreed or alone == _KEY_ATTEMPTS_ALONE:
                    raise
            await asyncio.sleep(_KEY_RETRY_SECONDS)
            await self._keys.agree_hash_key()
        return await self.purge_stats.open()

    async def _update_skeletons(self) -> None:
        """Recompute name skeletons that an earlier release stored by older rules."""
        try:
            count = await self.nicknames.update_skeletons()
            count += await self.room_names.update_skeletons()
        except Unavailable as error:  # retried at the next start
            _log.warning(
                "name skeletons not updated, look-alike names possible until the next start: %s",
                error,
            )
        else:
            if count:
                _log.info("updated skeletons of %s names for Unicode %s", count, UNICODE_VERSION)

    async def stop(self) -> None:
        """Store all accepted messages, then stop all tasks and close all connections and files."""
        self._heartbeat.stop()
        await self._valkey_check.end()
        await self.janitor.stop()
        await self.messages.flush()
        with suppress(Unavailable):  # shutdown continues
            await self.memberships.write_read_marks()
        self.presence.announce_shutdown()
        await self._keys.flush()
        await self.bus.stop()
        if self._valkey:
            await self._valkey.close()
        await self._database.close()
        self._keys.close()

    async def _sync_clock(self) -> None:
        """Synchronize with the database clock, which all nodes share, if the database answers."""
        if answer := await self._database.read_server_time():
            self._time.synchronize(*answer)

    async def purge(self) -> PurgeResult:
        """Remove expired data, and retry deletions and key operations that failed earlier."""
        await self._sync_clock()
        with self._database.priority():
            done = await self._purge_expired()
            await self._keys.reconcile()
            await self.expiry.destroy_orphans()
            await self.room_deletion.retry_burning()
            await self.identity.retry_forgetting()
            await self.memberships.write_read_marks()
            await self.key_rotation.resume()
            await self.identity.mark_open_pages_seen()
            await self.identity.release_stale_shares()
        return done

    async def _tick(self) -> None:
        self.limits.publish_usage()
        await self.presence.tick()
        await self.typing.tick()
        await self.transcripts.tick()

    async def _check_valkey(self) -> None:
        """Check whether Valkey writes to disk; share the withheld keys once it no longer does."""
        if self._persistence:
            was_unsafe = self._persistence.is_unsafe
            await self._persistence.check()
            if was_unsafe and not self._persistence.is_unsafe:
                await self._keys.reconcile()

    async def _purge_expired(self) -> PurgeResult:
        done = await self.expiry.purge()
        self.metrics.record_purge(
            messages=done.messages,
            rooms=done.rooms,
            visitors=done.visitors,
            lag=done.lag.total_seconds(),
        )
        return done
