"""The record of one room: everything that its readers and writers have observed."""

import re
from dataclasses import dataclass, field

_EDITION = re.compile(r"(.*) ✎(\d+)", re.DOTALL)
Reactions = tuple[tuple[str, int], ...]
"""How many have reacted with each emoji, in the order of the emoji."""


def write_edition(text: str, edition: int) -> str:
    """Return the text of an edited message: that of the post, with the number of the edit."""
    return f"{text} ✎{edition}"


def read_edition(text: str) -> tuple[str, int]:
    """Return the text of the post, and the number of its last edit; 0 if there was none."""
    found = _EDITION.fullmatch(text)
    return (found[1], int(found[2])) if found else (text, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """A message as a reader gets it. API clients get its `id`, pages its `dedup_id`.

    `text` is that of its post, `edition` the number of its last edit, `revision` that of its
    changes.
    """

    seq: int
    text: str
    author: str
    expires_at: float = field(compare=False)
    dedup_id: str = field(default="", compare=False)
    id: str = field(default="", compare=False)
    revision: int = field(default=0, compare=False)
    edition: int = field(default=0, compare=False)
    reactions: Reactions = field(default=(), compare=False)

    @property
    def state(self) -> tuple[int, Reactions]:
        """What the changes of the message have made of it."""
        return self.edition, self.reactions


@dataclass(slots=True, eq=False)
class Post:
    """A message to post, with a unique text, and the responses to all attempts.

    There may be fewer responses than `tries`. `accepted` holds the times of the acknowledgements,
    `stored` the messages that API clients get in response. It expires at `expires_at` or later.
    """

    text: str
    dedup_id: str
    author: str
    expires_at: float
    tries: int = 0
    accepted: list[float] = field(default_factory=list)
    stored: list[Line] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    edits: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether all attempts were refused."""
        return 0 < len(self.refused) == self.tries


@dataclass(slots=True, eq=False)
class Removal:
    """A deletion of one message, or of all messages of an `author`, and its times."""

    requested_at: float
    seq: int = 0
    author: str = ""
    done: float | None = None


@dataclass(slots=True, eq=False)
class Edit:
    """An edit of a message: those of one message are made one after the other.

    It has an unknown outcome until it is `done` or `is_refused`; then there is no later one.
    """

    seq: int
    edition: int
    requested_at: float
    done: float | None = None
    is_refused: bool = False


@dataclass(slots=True, eq=False)
class Reacting:
    """A reaction that an author adds or removes, as an edit is made."""

    seq: int
    author: str
    emoji: str
    on: bool
    requested_at: float
    done: float | None = None
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """The list of a reader at one moment.

    It contains everything that was stored at `requested_at` if it `is_synced`; before the response
    and after a disconnection it is not. With `more`, there are messages before the first line.
    `screen` counts the pages that the reader has loaded.
    """

    reader: str
    at: float
    requested_at: float
    lines: tuple[Line, ...]
    is_synced: bool = True
    more: bool = False
    screen: int = 0


@dataclass(frozen=True, slots=True)
class Telling:
    """A response of the server to a reader, and the time of the request."""

    reader: str
    requested_at: float
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Record:
    """All observations of one room.

    `streams` has the sequence numbers that each reader received in its event stream; `ends` has the
    final list of each reader.
    """

    posts: dict[str, Post] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    reactings: list[Reacting] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    responses: list[Telling] = field(default_factory=list)
    streams: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, Sight] = field(default_factory=dict)

    def post(self, text: str, *, dedup_id: str, author: str, expires_at: float) -> Post:
        """Record a message that is about to be posted."""
        assert text not in self.posts, "texts have to be unique"
        self.posts[text] = Post(text, dedup_id, author, expires_at)
        return self.posts[text]

    def removal(self, *, requested_at: float, seq: int = 0, author: str = "") -> Removal:
        """Record a deletion that is about to be requested."""
        self.removals.append(Removal(requested_at, seq, author))
        return self.removals[-1]

    def edit(self, post: Post, *, seq: int, requested_at: float) -> Edit:
        """Record an edit that is about to be requested."""
        post.edits += 1
        self.edits.append(Edit(seq, post.edits, requested_at))
        return self.edits[-1]

    def reacting(
        self, *, seq: int, author: str, emoji: str, on: bool, requested_at: float
    ) -> Reacting:
        """Record a reaction that is about to be requested."""
        self.reactings.append(Reacting(seq, author, emoji, on, requested_at))
        return self.reactings[-1]
