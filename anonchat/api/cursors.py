"""Where a page of a list ended, as an opaque text that needs no memory here."""

import base64
import binascii
import json
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from .problems import INVALID_REQUEST, Refusal

CURSOR = r"^[A-Za-z0-9_-]{1,400}$"

_Place = TypeVar("_Place")


def write_cursor(place: object) -> str:
    """Write a place down."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(cursor: str, kind: TypeAdapter[_Place]) -> _Place:
    """Return the place that was written; refuse what was never a cursor of this list."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return kind.validate_json(text, strict=True)
    except (binascii.Error, ValidationError) as error:
        raise Refusal(INVALID_REQUEST, "That is no cursor of this list.") from error
