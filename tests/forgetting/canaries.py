"""Words that nobody would write by chance, and the search for them in all shapes."""

import base64
import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.fakes import bytes_in

SHAPES: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "JSON": lambda text: json.dumps(text).encode(),
}
"""How a careless program may write a text down."""


def canary(field: str) -> str:
    """Return a text for a field; its letters are not all ASCII, so that JSON escapes it."""
    return f"{field} Kanáriěk {secrets.token_hex(6)}"


def find(canaries: Iterable[str], folder: Path) -> list[str]:
    """Return those that stand in any file under `folder`, in whatever shape."""
    stored = bytes_in(folder)
    return [text for text in canaries if any(form in stored for form in _forms(text))]


def _forms(text: str) -> list[bytes]:
    plain = text.encode()
    shifted = (base64.b64encode(b"." * shift + plain)[4:-4] for shift in range(3))
    forms = [
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
    return [form for form in forms if len(form) > 4]
