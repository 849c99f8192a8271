"""Searches the messages of a room, which are decrypted in memory for it."""

from ..entities import FoundMessages, Message
from ..runtime.clock import Clock
from ..runtime.cooperative import iterate_cooperatively
from ..text.search import has_words
from .message_history import MessageHistory

SEARCHED_MAX = 5_000
"""The most messages that one search reads."""
_BATCH = 100  # messages read at once


class MessageSearch:
    """Finds messages by their words, the newest first. Nothing readable is written for it."""

    def __init__(self, *, history: MessageHistory, clock: Clock) -> None:
        self._history = history
        self._clock = clock

    async def find(
        self, room_id: str, *, words: tuple[str, ...], before: int | None, limit: int, group: str
    ) -> FoundMessages:
        """Return up to `limit` messages that contain all `words`, those before a `seq` if given.

        It ends after `SEARCHED_MAX` messages, and yields to the event loop in between.
        """
        found: list[Message] = []
        searched = characters = 0
        is_complete = not words
        while not is_complete and searched < SEARCHED_MAX and len(found) < limit:
            batch = await self._history.read(
                room_id, after=None, before=before, limit=_BATCH, group=group
            )
            is_complete = len(batch) < _BATCH
            async for message in iterate_cooperatively(reversed(batch)):
                if len(found) == limit:
                    is_complete = False
                    break
                searched, before = searched + 1, message.seq
                characters += len(message.text)
                if has_words(message.text, words):
                    found.append(message)
        now = self._clock()
        live = [message for message in reversed(found) if message.expires_at > now]
        return FoundMessages(live, searched, characters, None if is_complete else before)
