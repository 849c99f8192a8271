"""How an event travels: as sealed JSON, for what carries it may be read by others."""

from pydantic import TypeAdapter, ValidationError

from ..events import Event
from ..seal import BrokenSeal, derive_key, seal, unseal

_KINDS: dict[bytes, TypeAdapter[Event]] = {
    kind.__name__.encode(): TypeAdapter(kind) for kind in Event.__subclasses__()
}


class Codec:
    """Writes and reads events; those who do not share the secret key can do neither."""

    def __init__(self, secret: str) -> None:
        self._key = derive_key(secret.encode(), purpose="bus")

    def pack(self, event: Event, *, channel: str) -> bytes:
        """Write an event for one channel."""
        name = type(event).__name__.encode()
        return seal(self._key, name + b" " + _KINDS[name].dump_json(event), place=channel)

    def unpack(self, data: bytes, *, channel: str) -> Event | None:
        """Read an event; `None` if it is none that this version knows, or not from one of us."""
        try:
            name, _, body = unseal(self._key, data, place=channel).partition(b" ")
            return _KINDS[name].validate_json(body) if name in _KINDS else None
        except (BrokenSeal, ValidationError):
            return None
