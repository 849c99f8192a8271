"""The key store of a single node."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from .key_names import span_key_name
from .stored_keys import StoredKeys


class LocalKeyStore(StoredKeys):
    """Keys that no other node has (see `KeyStore`)."""

    row_commit_delay = timedelta()

    def open(self) -> None:
        """Read the file, or create it. Raises `StartupError`."""
        self._load(self._file.open())

    def own_span_key(self, number: int, generation: int) -> str:
        """Return the name of the key to encrypt with in a span."""
        return f"{span_key_name(number)} {generation}" if generation else span_key_name(number)

    def is_destroyed(self, name: str) -> bool:
        """Return whether the key of this name was destroyed or never existed."""
        return self.get(name) is None

    def may_exist_on_peers(self, *names: str) -> bool:
        """Return `False`: there are no other nodes."""
        return False

    async def fetch(self, names: Collection[str]) -> None:
        """Do nothing: there are no other nodes."""

    def record_missing(self, names: Iterable[str]) -> None:
        """Do nothing: no key can arrive later."""

    async def agree_hash_key(self) -> None:
        """Do nothing: there are no other nodes."""

    async def sync(self) -> None:
        """Do nothing: there are no other nodes."""

    async def reconcile(self) -> None:
        """Do nothing: there are no other nodes."""

    async def flush(self) -> None:
        """Do nothing: all keys are on disk."""
