"""The copies of keys in Valkey, encrypted with the group key (`bus/group_key.py`).

Each group key has one Valkey hash with the keys of rooms and visitors, and one for each span.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

from ..bus import GroupKey, GroupKeyAgreement
from ..bus.client import Command, Valkey, ValkeyUnavailable
from ..crypto import DecryptionError, decrypt, encrypt
from ..ids import new_id
from ..runtime.batches import batches
from ..runtime.clock import Clock
from .key_names import is_span_key, span_bounds, span_key_name, span_number

_HASH_KEY_FIELD = "head"
_PROPOSED_HASH_KEY_FIELD = "proposed head"
_DATA_ID_FIELD = "birth"
_RESERVED_FIELDS = {_DATA_ID_FIELD, _HASH_KEY_FIELD, _PROPOSED_HASH_KEY_FIELD}
_PREFIX = "anonchat:keys:"  # followed by the id of the group key
_EXPIRY_MS = 3_600_000  # renewed by every node that has the group key
_SCAN_COUNT = 1000
PIPELINE_MAX = 500
"""The maximum number of keys in one pipeline."""


class ValkeyKeys:
    """Reads and writes encrypted keys; every method raises `ValkeyUnavailable`."""

    def __init__(self, valkey: Valkey, agreement: GroupKeyAgreement, clock: Clock) -> None:
        self._valkey = valkey
        self._agreement = agreement
        self._clock = clock

    def encrypt(self, name: str, key: bytes) -> bytes:
        """Encrypt a key with the group key."""
        return encrypt(self._group.wrapping_key, key, associated_data=name)

    def decrypt(self, name: str, encrypted: bytes) -> bytes | None:
        """Decrypt a key; return `None` if it was encrypted with another group key."""
        try:
            return decrypt(self._group.wrapping_key, encrypted, associated_data=name)
        except DecryptionError:
            return None

    async def store(self, encrypted: Mapping[str, bytes]) -> None:
        """Store keys; those of a span until its end."""
        now, commands = self._clock(), list[Command]()
        for name, value in encrypted.items():
            valkey_key = self._valkey_key_of(name)
            commands.append(("HSET", valkey_key, name, value))
            if is_span_key(name):
                _, end = span_bounds(span_number(name))
                left_ms = max(1, int((end - now).total_seconds() * 1000))
                commands.append(("PEXPIRE", valkey_key, left_ms))
        await self._valkey.call_pipeline(commands)

    async def delete(self, names: Iterable[str]) -> None:
        """Delete keys."""
        await self._valkey.call_pipeline(
            [("HDEL", self._valkey_key_of(name), name) for name in names]
        )

    async def read(self, names: Collection[str]) -> dict[str, bytes]:
        """Return these keys, encrypted; of a span, all keys."""
        spans = {self._valkey_key_of(name) for name in names if is_span_key(name)}
        others = [name for name in names if not is_span_key(name)]
        commands: list[Command] = [("HGETALL", span) for span in spans]
        if others:
            commands.append(("HMGET", self._valkey_key, *others))
        replies = await self._valkey.call_pipeline(commands)
        found = _merge(replies[: len(spans)])
        if others:
            found |= {name: key for name, key in zip(others, replies[-1], strict=True) if key}
        return found

    async def read_all(self) -> dict[str, bytes]:
        """Return all keys, encrypted."""
        hashes = [page async for page in self._scan("HSCAN", self._valkey_key)]
        span_keys = set[bytes]()
        async for page in self._scan("SCAN", match=f"{self._valkey_key} {span_key_name(0)[:-1]}*"):
            span_keys.update(page)
        for batch in batches(sorted(span_keys), PIPELINE_MAX):
            hashes += await self._valkey.call_pipeline([("HGETALL", each) for each in batch])
        found = _merge(hashes)
        for field in _RESERVED_FIELDS:
            found.pop(field, None)
        return found

    async def read_hash_key(self) -> bytes | None:
        """Return the hash key that the nodes have agreed on, if there is one."""
        return await self._read_field(_HASH_KEY_FIELD)

    async def store_hash_key(self, key: bytes) -> None:
        """Store the hash key that the nodes have agreed on."""
        encrypted = self.encrypt(_HASH_KEY_FIELD, key)
        await self._valkey.call("HSET", self._valkey_key, _HASH_KEY_FIELD, encrypted)

    async def propose_hash_key(self, key: bytes) -> bytes | None:
        """Propose a hash key to the other nodes; return the one that was proposed first."""
        encrypted = self.encrypt(_PROPOSED_HASH_KEY_FIELD, key)
        await self._valkey.call("HSETNX", self._valkey_key, _PROPOSED_HASH_KEY_FIELD, encrypted)
        return await self._read_field(_PROPOSED_HASH_KEY_FIELD)

    async def read_data_id(self) -> str:
        """Return the id of the data in Valkey, which changes whenever Valkey loses data."""
        # In the same hash as the keys, so that deleting the keys deletes the id too.
        valkey_key = self._valkey_key
        await self._valkey.call("HSETNX", valkey_key, _DATA_ID_FIELD, new_id())
        info, data_id = await self._valkey.call_pipeline(
            [("INFO", "server"), ("HGET", valkey_key, _DATA_ID_FIELD)]
        )
        if data_id is None:
            raise ValkeyUnavailable("it has just lost its data")
        return f"{valkey_key} {info['run_id']} {data_id.decode()}"

    async def renew(self) -> None:
        """Keep the keys of rooms and visitors for another hour."""
        await self._valkey.call("PEXPIRE", self._valkey_key, _EXPIRY_MS)

    async def _read_field(self, field: str) -> bytes | None:
        encrypted = await self._valkey.call("HGET", self._valkey_key, field)
        return self.decrypt(field, encrypted) if encrypted else None

    async def _scan(self, *command: str, match: str = "*") -> AsyncIterator[Any]:
        """Yield the pages of a scan."""
        cursor = 0
        while True:
            cursor, page = await self._valkey.call(
                *command, cursor, "MATCH", match, "COUNT", _SCAN_COUNT
            )
            yield page
            if not cursor:
                return

    @property
    def _valkey_key(self) -> str:
        """The Valkey key of the hash with the keys of rooms and visitors."""
        return _PREFIX + self._group.id

    def _valkey_key_of(self, name: str) -> str:
        if not is_span_key(name):
            return self._valkey_key
        return f"{self._valkey_key} {span_key_name(span_number(name))}"

    @property
    def _group(self) -> GroupKey:
        if self._agreement.current is None:
            raise ValkeyUnavailable("no group key yet")
        return self._agreement.current


def _merge(hashes: Iterable[Mapping[bytes, bytes]]) -> dict[str, bytes]:
    return {name.decode(): key for pairs in hashes for name, key in pairs.items()}
