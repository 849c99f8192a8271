"""What the menus of members and messages offer to those who keep order in a room."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

ActOnMember = Callable[[str, str], Awaitable[object]]
"""Called with the name of what is done, and the pseudonym of the member it is done to."""


class Orders:
    """What a list lets somebody do to members; nothing at first."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._act: ActOnMember | None = None

    def allow(self, role: str, texts: Mapping[str, str], act: ActOnMember) -> dict[str, object]:
        """Allow what has a text, by its name; return the properties of the list."""
        self._names, self._act = frozenset(texts), act
        return {"role": role, "orders": dict(texts)}

    async def handle(self, arguments: Mapping[str, Any]) -> bool:
        """Do what an event of the page asks for; return whether it is for us."""
        act, author = arguments.get("act"), arguments.get("author")
        if self._act is None or not isinstance(author, str) or act not in self._names:
            return False
        await self._act(act, author)
        return True
