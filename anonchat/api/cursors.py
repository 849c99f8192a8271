"""Stateless, opaque pagination cursors."""

import base64
import binascii
import json
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from .problems import INVALID_REQUEST, ProblemException

CURSOR_PATTERN = r"^[A-Za-z0-9_-]{1,400}$"

_Position = TypeVar("_Position")


def encode_cursor(position: object) -> str:
    """Encode a position in a list as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: TypeAdapter[_Position]) -> _Position:
    """Decode a cursor; raise `ProblemException` if it is not one of this list."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return kind.validate_json(text, strict=True)
    except (binascii.Error, ValidationError) as error:
        raise ProblemException(INVALID_REQUEST, "The cursor is not one of this list.") from error
