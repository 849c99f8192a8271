"""The group key, which all running nodes share.

Keys derived from it encrypt the events between nodes and the keys stored in Valkey. It is random
and only held in memory. A starting node receives it from a node that has it, in an exchange of
ephemeral X25519 keys that is authenticated by the secret key. So the secret key alone decrypts
neither recorded traffic nor a dump of Valkey.

Valkey stores the id of the current key, encrypted with the secret key. The nodes that hold the key
renew the id's lease. When they are all gone the id expires, and the next node creates a new key.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from ..crypto import KEY_BYTES, DecryptionError, KeyExchange, decrypt, derive_key, encrypt
from ..ids import new_id
from .client import Valkey

GROUP_KEY_CHANNEL = "anonchat:group key"
_ID_NAME = "anonchat:group key id"
_LEASE_MS = 3_000
_RESPONSE_TIMEOUT_SECONDS = 0.5


class SecretKeyMismatch(Exception):
    """The running nodes have another secret key."""


@dataclass(frozen=True)
class GroupKey:
    """The key of all nodes, and its id, which is not secret."""

    id: str
    key: bytes

    @cached_property
    def event_key(self) -> bytes:
        """The key that encrypts events."""
        return derive_key(self.key, purpose="events")

    @cached_property
    def wrapping_key(self) -> bytes:
        """The key that wraps keys."""
        return derive_key(self.key, purpose="keys")


class GroupKeyAgreement:
    """Requests the group key, or creates it if this node is alone, and sends it on request."""

    def __init__(self, secret: str, valkey: Valkey) -> None:
        self._secret = derive_key(secret.encode(), purpose="group key")
        self._valkey = valkey
        self._group_key: GroupKey | None = None
        self._request: dict[str, str] = {}
        self._response: asyncio.Future[GroupKey] | None = None
        self._exchange: KeyExchange | None = None

    @property
    def current(self) -> GroupKey | None:
        """The group key that was agreed on last; `None` before the first."""
        return self._group_key

    async def agree(self, count_others: Callable[[], Awaitable[int]]) -> None:
        """Wait until this node holds the key that all nodes use.

        Meanwhile the caller must be subscribed to `GROUP_KEY_CHANNEL` and pass its packets to
        `handle_packet`. Raises `ValkeyUnavailable`, or `SecretKeyMismatch` if the running nodes
        have another secret key.
        """
        while not await self.renew():
            is_alone = not await count_others()
            try:
                id = await self._read_id()
            except SecretKeyMismatch:
                if not is_alone:
                    raise
                id = None
            if is_alone:  # the nodes that had the key have stopped
                key = self._group_key or _create_key()
                await self._valkey.call("SET", _ID_NAME, self._encrypt_id(key), "PX", _LEASE_MS)
                self._group_key = key
            elif id is not None:
                await self._request_key(id)

    async def renew(self) -> bool:
        """Renew the lease of this node's key; return whether it is still the current key.

        If there is no current key, this node's key becomes it, and is created if there is none.
        Raises `ValkeyUnavailable`.
        """
        key = self._group_key or _create_key()
        is_set = await self._valkey.call(
            "SET", _ID_NAME, self._encrypt_id(key), "NX", "PX", _LEASE_MS
        )
        if is_set:
            self._group_key = key
            return True
        try:
            is_current = self._group_key is not None and await self._read_id() == self._group_key.id
        except SecretKeyMismatch:
            return False
        if is_current:
            await self._valkey.call("PEXPIRE", _ID_NAME, _LEASE_MS)
        return is_current

    async def handle_packet(self, packet: bytes) -> None:
        """Handle another node's request or response. Raises `ValkeyUnavailable`."""
        # Ignore packets that are not from a node or from another version.
        with suppress(DecryptionError, ValueError, KeyError):
            content: dict[str, str] = json.loads(
                decrypt(self._secret, packet, associated_data=GROUP_KEY_CHANNEL)
            )
            if "sealed" in content:
                self._receive_key(content)
            elif self._group_key and self._group_key.id == content["id"]:
                await self._send_key(self._group_key, content)

    async def _request_key(self, id: str) -> None:
        """Request the key of this id from all nodes, and wait 0.5 s for the first response."""
        self._exchange = exchange = KeyExchange()
        self._response = asyncio.get_running_loop().create_future()
        self._request = {"id": id, "question": new_id(), "public": exchange.public.hex()}
        try:
            await self._publish(self._request)
            self._group_key = await asyncio.wait_for(self._response, _RESPONSE_TIMEOUT_SECONDS)
        except TimeoutError:
            pass  # the nodes with the key may have stopped: its id expires soon
        finally:
            self._response = self._exchange = None

    async def _send_key(self, group: GroupKey, request: dict[str, str]) -> None:
        exchange = KeyExchange()
        context = _make_context(request, responder=exchange.public.hex())
        requester = bytes.fromhex(request["public"])
        key = exchange.derive(requester, secret=self._secret, purpose=context)
        await self._publish(
            {
                "question": request["question"],
                "public": exchange.public.hex(),
                "sealed": encrypt(key, group.key, associated_data=context).hex(),
            }
        )

    def _receive_key(self, response: dict[str, str]) -> None:
        if self._exchange is None or self._response is None or self._response.done():
            return
        if response["question"] != self._request["question"]:
            return
        context = _make_context(self._request, responder=response["public"])
        responder = bytes.fromhex(response["public"])
        key = self._exchange.derive(responder, secret=self._secret, purpose=context)
        group_key = decrypt(key, bytes.fromhex(response["sealed"]), associated_data=context)
        self._response.set_result(GroupKey(self._request["id"], group_key))

    async def _publish(self, content: dict[str, str]) -> None:
        packet = encrypt(
            self._secret, json.dumps(content).encode(), associated_data=GROUP_KEY_CHANNEL
        )
        await self._valkey.call("PUBLISH", GROUP_KEY_CHANNEL, packet)

    async def _read_id(self) -> str | None:
        """Return the id of the current key, if any; raise `SecretKeyMismatch` if undecryptable."""
        encrypted = await self._valkey.call("GET", _ID_NAME)
        if encrypted is None:
            return None
        try:
            return decrypt(self._secret, encrypted, associated_data=_ID_NAME).decode()
        except DecryptionError as error:
            raise SecretKeyMismatch from error

    def _encrypt_id(self, group: GroupKey) -> bytes:
        return encrypt(self._secret, group.id.encode(), associated_data=_ID_NAME)


def _create_key() -> GroupKey:
    return GroupKey(new_id(), os.urandom(KEY_BYTES))


def _make_context(request: dict[str, str], *, responder: str) -> str:
    """Return all parameters of an exchange, which bind each part of it to this exchange."""
    return " ".join(("group key", *(request[name] for name in sorted(request)), responder))
