"""What the form of a room contains."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

_ID_BYTES = 16
_DEDUP_CHARACTERS = 32


def new_form_id() -> str:
    """Return the id of a form that is drawn anew."""
    return secrets.token_hex(_ID_BYTES)


@dataclass(frozen=True)
class Draft:
    """A text, the id of the form that it is typed in, and whether its warnings are confirmed."""

    text: str = ""
    form_id: str = field(default_factory=new_form_id)
    is_confirmed: bool = False

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "Draft":
        """Return the draft that a form posts."""
        return cls(
            fields.get("text", ""),
            fields.get("form") or new_form_id(),
            is_confirmed="confirmed" in fields,
        )

    @property
    def dedup_id(self) -> str:
        """An id of the post: a form that is sent twice posts once, another text is another post."""
        content = f"{self.form_id}\0{self.text}".encode()
        return hashlib.sha256(content).hexdigest()[:_DEDUP_CHARACTERS]
