"""The target of an attack: the server, the attacker's visitors, and their rooms."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Scene:
    """`tokens` are the attacker's visitors. All are members of `full_room`, which has 200 long
    messages, and of `own_room`, whose messages are theirs; others talk in `lively_room`.

    `browser` is the number of pages and connections of the attack.
    """

    url: str
    address: str
    tokens: tuple[str, ...]
    full_room: str
    own_room: str
    lively_room: str
    browser: int

    def for_one_visitor(self, *, pages: int) -> Self:
        """Return a copy with one visitor and the given number of pages."""
        return replace(self, tokens=self.tokens[:1], browser=pages)

    def token(self, number: int) -> str:
        """Return the token of the visitor for this act, in turn."""
        return self.tokens[number % len(self.tokens)]

    def to_json(self) -> dict[str, Any]:
        """Return the scene as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Return the scene of JSON data."""
        return cls(**{**content, "tokens": tuple(content["tokens"])})
