"""What an attacker is told of the site: its own visitors, and the rooms that they are in."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Scene:
    """`tokens` are visitors of the attacker. All are in `full_room`, which has 200 long messages,
    and in `own_room`, where they said everything; `lively_room` is where others talk.

    `browser` is how many pages and connections the attack has.
    """

    url: str
    address: str
    tokens: tuple[str, ...]
    full_room: str
    own_room: str
    lively_room: str
    browser: int

    def for_one_visitor(self, *, pages: int) -> Self:
        """Return the same with one visitor, who has so many pages."""
        return replace(self, tokens=self.tokens[:1], browser=pages)

    def token(self, number: int) -> str:
        """Return the visitor whose turn it is."""
        return self.tokens[number % len(self.tokens)]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read a scene."""
        return cls(**{**content, "tokens": tuple(content["tokens"])})
