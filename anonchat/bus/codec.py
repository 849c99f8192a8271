"""Encodes events for Valkey as encrypted JSON."""

import hmac

from pydantic import TypeAdapter, ValidationError

from ..crypto import DecryptionError, decrypt, derive_key, encrypt
from ..events import Event
from .group_key import GroupKey

_ADAPTERS: dict[bytes, TypeAdapter[Event]] = {
    kind.__name__.encode(): TypeAdapter(kind) for kind in Event.__subclasses__()
}
_ID_BYTES = 16
_MAC_BYTES = 16


class GroupKeyMismatch(Exception):
    """The event is encrypted with another group key than this node's."""


class Codec:
    """Encodes and decodes events, encrypted with the group key.

    The header is the id of that key with a MAC under the secret key, which authenticates the sender
    as a node: other programs may use the same Valkey.
    """

    def __init__(self, secret: str) -> None:
        self._mac_key = derive_key(secret.encode(), purpose="bus")

    def encode(self, event: Event, group: GroupKey, *, channel: str) -> bytes:
        """Encode an event for one channel."""
        name = type(event).__name__.encode()
        body = name + b" " + _ADAPTERS[name].dump_json(event)
        return self._header(group.id.encode()) + encrypt(
            group.event_key, body, associated_data=channel
        )

    def decode(self, data: bytes, group: GroupKey, *, channel: str) -> Event | None:
        """Decode an event; return `None` if this version does not know it or no node sent it.

        Raises `GroupKeyMismatch`.
        """
        header, encrypted = data[: _ID_BYTES + _MAC_BYTES], data[_ID_BYTES + _MAC_BYTES :]
        id = header[:_ID_BYTES]
        if not hmac.compare_digest(header, self._header(id)):
            return None
        if id != group.id.encode():
            raise GroupKeyMismatch
        try:
            content = decrypt(group.event_key, encrypted, associated_data=channel)
            name, _, body = content.partition(b" ")
            return _ADAPTERS[name].validate_json(body) if name in _ADAPTERS else None
        except (DecryptionError, ValidationError):
            return None

    def _header(self, id: bytes) -> bytes:
        return id + hmac.digest(self._mac_key, id, "sha256")[:_MAC_BYTES]
