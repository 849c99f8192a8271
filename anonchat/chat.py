"""The composition root: builds the parts and starts them. No behaviour."""

import fcntl
import os
import secrets
from pathlib import Path

from .bus import Bus, MemoryBus
from .clock import Clock, SteadyClock
from .database import Database
from .errors import StartError
from .janitor import Janitor
from .keystore import KeyStore
from .limits import Limits
from .puzzle import Puzzle
from .seal import Hasher
from .services.expiry import Expiry, Purge
from .services.identity import Identity
from .services.lobby import Lobby
from .services.memberships import Memberships
from .services.messages import Messages
from .services.presence import Presence
from .services.rooms import Rooms
from .settings import Settings
from .vault import Vault


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
        self.clock = clock = clock or SteadyClock()
        self.bus = bus = bus or MemoryBus()
        secret = settings.secret_key or _keep_secret(settings.data_dir)
        hasher = Hasher(secret)
        self._keys = keys = KeyStore(_make_folder(settings.data_dir) / "keys", secret)
        self._database = database = Database(settings.database_location)
        vault = Vault(keys)
        self.limits = limits = Limits(settings, clock)
        self.puzzle = puzzle = Puzzle(settings.puzzle_bits, clock=clock, hasher=hasher)

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
        self.messages = Messages(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            vault=vault,
            hasher=hasher,
            is_member=self.memberships.has,
        )
        self.expiry = Expiry(
            database=database,
            bus=bus,
            clock=clock,
            keys=keys,
            forget=self.identity.forget,
        )
        self.janitor = Janitor(self._purge, interval=settings.janitor_interval)

    async def start(self) -> None:
        """Open the stores, finish what a crash has left, and start the janitor."""
        self._keys.open()
        await self._database.open()
        await self.expiry.reconcile()
        await self.expiry.purge()
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

    async def _purge(self) -> Purge:
        done = await self.expiry.purge()
        await self.memberships.write_read_marks()
        return done


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"ANONCHAT_DATA_DIR: {folder} cannot be used: {error.strerror}") from error
    return folder


def _keep_secret(folder: Path) -> str:
    """Return the secret key of a single node; made once, readable by its owner alone.

    Of several who start first at the same moment one makes it, while the others wait at the lock.
    """
    path = _make_folder(folder) / "secret.key"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            secret = file.read().strip()
            if not secret:  # nobody was here before, or a crash was quicker than the disk
                secret = secrets.token_urlsafe(32)
                _write_secret(path, secret)
    except OSError as error:
        raise StartError(f"ANONCHAT_DATA_DIR: {path} cannot be used: {error.strerror}") from error
    return secret


def _write_secret(path: Path, secret: str) -> None:
    try:
        with path.open("w") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        os.fsync(folder)
        os.close(folder)
    except OSError:
        os.truncate(path, 0)  # a part of a key would be taken for a whole one
        raise
