"""Random marker texts ("canaries"), and a search for them in files in many encodings."""

import base64
import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.fakes import read_all_bytes

SHAPES: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "JSON": lambda text: json.dumps(text).encode(),
}
"""Encodings in which a program may write a text to disk."""


def canary(field: str) -> str:
    """Return a random text for a field, with non-ASCII letters, which JSON escapes."""
    return f"{field} Kanáriěk {secrets.token_hex(6)}"


def find(canaries: Iterable[str], folder: Path) -> list[str]:
    """Return the canaries that are in any file under `folder`, in any encoding."""
    content = read_all_bytes(folder)
    return [text for text in canaries if any(encoding in content for encoding in _encodings(text))]


def _encodings(text: str) -> list[bytes]:
    plain = text.encode()
    shifted = (base64.b64encode(b"." * shift + plain)[4:-4] for shift in range(3))
    encodings = [
        plain,
        text.lower().encode(),
        text.upper().encode(),
        text[::-1].encode(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        plain.hex().encode(),
        plain.hex().upper().encode(),
        json.dumps(text)[1:-1].encode(),
        *shifted,
    ]
    return [encoding for encoding in encodings if len(encoding) > 4]
