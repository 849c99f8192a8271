"""What happened in one room, as all who took part have noted it down."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """A message as somebody sees it. Programs are told its `id`, screens its `dedup_id`."""

    seq: int
    text: str
    author: str
    until: float = field(compare=False)
    dedup_id: str = field(default="", compare=False)
    id: str = field(default="", compare=False)


@dataclass(slots=True, eq=False)
class Post:
    """What somebody wanted to say once, each text only here, and what they were answered.

    It may have been tried more often than it was answered. Of what was `accepted` we know when; a
    program is also told what was `stored`. It lives until `until` at least.
    """

    text: str
    dedup_id: str
    author: str
    until: float
    tries: int = 0
    accepted: list[float] = field(default_factory=list)
    stored: list[Line] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Tell whether it was refused whenever it was tried."""
        return 0 < len(self.refused) == self.tries


@dataclass(slots=True, eq=False)
class Removal:
    """One message that was deleted, or all of an author who was forgotten, and when."""

    asked: float
    seq: int = 0
    author: str = ""
    done: float | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reader had before them at one moment.

    `asked` is when they asked for what they are sure to have; before the answer, and after a
    broken line, they are not `sure`. With `more`, there is something before the first line.
    """

    reader: str
    at: float
    asked: float
    lines: tuple[Line, ...]
    sure: bool = True
    more: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """What the server answered a reader who had asked at that moment."""

    reader: str
    asked: float
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Record:
    """Everything that was noted down of one room.

    `streams` has, by reader, the numbers of what they were told once and in order; `ends` what each
    reader saw when everything had come to rest.
    """

    posts: dict[str, Post] = field(default_factory=dict)
    removals: list[Removal] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)
    streams: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, Sight] = field(default_factory=dict)

    def post(self, text: str, *, dedup_id: str, author: str, until: float) -> Post:
        """Note that somebody is about to say this."""
        assert text not in self.posts, "a text is said once, so that it can be told from others"
        self.posts[text] = Post(text, dedup_id, author, until)
        return self.posts[text]

    def removal(self, *, asked: float, seq: int = 0, author: str = "") -> Removal:
        """Note that somebody is about to take something back."""
        self.removals.append(Removal(asked, seq, author))
        return self.removals[-1]
