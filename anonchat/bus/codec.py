"""How an event travels: as sealed JSON, for what carries it may be read by others."""

import hmac

from pydantic import TypeAdapter, ValidationError

from ..events import Event
from ..seal import BrokenSeal, derive_key, seal, unseal
from .group_key import GroupKey

_KINDS: dict[bytes, TypeAdapter[Event]] = {
    kind.__name__.encode(): TypeAdapter(kind) for kind in Event.__subclasses__()
}
_ID_BYTES = 16
_MARK_BYTES = 16


class OtherGroupKey(Exception):
    """A node has sealed this with another group key than the one that is held here."""


class Codec:
    """Writes and reads events, sealed with the group key.

    Each begins with the id of that key and a mark made with the secret key, by which a node is
    told from anybody else who uses the same Valkey.
    """

    def __init__(self, secret: str) -> None:
        self._marking = derive_key(secret.encode(), purpose="bus")

    def pack(self, event: Event, group: GroupKey, *, channel: str) -> bytes:
        """Write an event for one channel."""
        name = type(event).__name__.encode()
        body = name + b" " + _KINDS[name].dump_json(event)
        return self._head(group.id.encode()) + seal(group.of_events, body, place=channel)

    def unpack(self, data: bytes, group: GroupKey, *, channel: str) -> Event | None:
        """Read an event; `None` if it is none that this version knows, or not from a node.

        Raises `OtherGroupKey`.
        """
        head, sealed = data[: _ID_BYTES + _MARK_BYTES], data[_ID_BYTES + _MARK_BYTES :]
        id = head[:_ID_BYTES]
        if not hmac.compare_digest(head, self._head(id)):
            return None
        if id != group.id.encode():
            raise OtherGroupKey
        try:
            name, _, body = unseal(group.of_events, sealed, place=channel).partition(b" ")
            return _KINDS[name].validate_json(body) if name in _KINDS else None
        except (BrokenSeal, ValidationError):
            return None

    def _head(self, id: bytes) -> bytes:
        return id + hmac.digest(self._marking, id, "sha256")[:_MARK_BYTES]
