"""The state that a plugin keeps in a room."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:
    from ..services.room_states import RoomStates

Watcher = Callable[[], Awaitable[object] | object]
Check = Callable[[], Awaitable[object]]


class RoomState:
    """What one plugin keeps in one room: values by key, the same on all nodes.

    Values are anything that JSON can hold; all of them together have 64 kB at most. They are
    encrypted under the key of the room and are gone with it. Every method raises `NotFound` if the
    room has ended, and `NotAMember` if it was made for a person who has left.
    """

    def __init__(
        self,
        states: "RoomStates",
        room_id: str,
        plugin: str,
        *,
        require_member: Check | None = None,
        add_watcher: Callable[[str, str, Watcher], None] | None = None,
    ) -> None:
        """`require_member` raises an error before each use by somebody who has left."""
        self._states = states
        self._room_id = room_id
        self._plugin = plugin
        self._require_member = require_member
        self._add_watcher = add_watcher

    async def get(self, key: str, default: JsonValue = None) -> JsonValue:
        """Return the value of a key, or `default`."""
        return (await self.items()).get(key, default)

    async def items(self) -> dict[str, JsonValue]:
        """Return all values by key."""
        await self._check()
        return await self._states.read(self._room_id, self._plugin)

    async def put(self, key: str, value: JsonValue) -> None:
        """Store a value. Raises `LimitReached` beyond 64 kB, `ValueError` if it is not JSON."""
        await self.change(lambda values: values.update({key: value}))

    async def delete(self, key: str) -> None:
        """Remove a key, if it is there."""
        await self.change(lambda values: values.pop(key, None))

    async def change(self, change: Callable[[dict[str, JsonValue]], object]) -> None:
        """Let a function change all values at once; nobody else changes them meanwhile.

        It may be called again if another node was faster, so it must do nothing else.

        >>> await state.change(lambda votes: votes.update(tea=votes.get("tea", 0) + 1))
        """
        await self._check()
        await self._states.change(self._room_id, self._plugin, change)

    def watch(self, function: Watcher) -> None:
        """Call a function after each change, from wherever it came, while the panel is shown.

        Raises `RuntimeError` outside of panels: nothing would end it there.
        """
        if self._add_watcher is None:
            raise RuntimeError("only panels can watch the state of a room")
        self._add_watcher(self._room_id, self._plugin, function)

    async def _check(self) -> None:
        if self._require_member:
            await self._require_member()
