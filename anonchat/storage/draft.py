"""A post that waits to be stored."""

import asyncio
from dataclasses import dataclass, field

from ..entities import Message, Post
from ..errors import Unavailable
from .mentions import Mention


@dataclass(slots=True)
class Draft:
    """A post to be stored as a message; no other message has its `dedup_key`."""

    room_id: str
    visitor_id: str
    post: Post
    dedup_id: str
    dedup_key: bytes
    mentions: tuple[Mention, ...] = ()
    is_charged: bool = False
    attempted_ids: set[str] = field(default_factory=set)
    """Ids of messages that may have been stored."""
    readers: tuple[str, ...] = ()
    """The authors who can open it once, as of the last attempt."""
    stored: asyncio.Future[Message] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def mentioned(self) -> list[Mention]:
        """The members other than its author whom it mentions."""
        return [mention for mention in self.mentions if mention.visitor_id != self.visitor_id]

    def resolve(self, message: Message) -> None:
        """Return the stored message to the caller of `store()`."""
        if not self.stored.done():
            self.stored.set_result(message)

    def reject(self, error: Exception) -> None:
        """Raise the error in the caller of `store()`."""
        if not self.stored.done():
            self.stored.set_exception(error)

    def time_out(self) -> None:
        """Raise `Unavailable` in the caller of `store()` after the timeout."""
        self.reject(Unavailable())

    @property
    def is_pending(self) -> bool:
        """Whether the caller still waits, or the message may be stored but not yet published."""
        return bool(self.attempted_ids) or not self.stored.done()
