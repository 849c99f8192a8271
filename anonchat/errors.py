"""Everything that may go wrong in a way a visitor should read about.

A `ChatError` carries an English sentence (the key of its translation) and the values that go into
its placeholders; pages translate it and show it beside its cause. Anything else that is raised is
a bug, and is logged instead of shown.

    ChatError
    ├── InvalidNickname ── NicknameTaken ── WrongPhrase
    ├── InvalidPhrase
    ├── InvalidRoom ── RoomNameTaken (── RoomNameConfusable), InvalidTopic, InvalidLifetime
    ├── InvalidMessage ── MessageExpired
    ├── NotFound
    ├── NotAMember
    ├── NotAllowed
    ├── UnknownVisitor
    ├── PuzzleUnsolved
    ├── LimitReached ── TooOften ── TooManyPhrases
    └── Unavailable
"""


def N_(sentence: str) -> str:
    """Mark a sentence for the catalogues without translating it here."""
    return sentence


class ChatError(Exception):
    """A refusal with a reason that its cause may read.

    `sentence` is English with `{named}` placeholders, `details` are the values for them.
    """

    def __init__(self, sentence: str, **details: object) -> None:
        super().__init__(sentence.format(**details))
        self.sentence = sentence
        self.details = details


class InvalidNickname(ChatError):
    """The nickname cannot be used."""


class NicknameTaken(InvalidNickname):
    """The nickname, or one that looks like it, belongs to a living visitor."""


class WrongPhrase(NicknameTaken):
    """The nickname is taken, and the secret phrase is not the one that belongs to it."""


class InvalidPhrase(ChatError):
    """The secret phrase cannot be used."""


class InvalidRoom(ChatError):
    """A name, topic or lifetime of a room cannot be used."""


class RoomNameTaken(InvalidRoom):
    """A listed room of that name exists already."""


class RoomNameConfusable(RoomNameTaken):
    """A listed room exists whose name looks the same, but is another name."""


class InvalidTopic(InvalidRoom):
    """The topic cannot be used."""


class InvalidLifetime(InvalidRoom):
    """A lifetime of a room or its messages cannot be used."""


class InvalidMessage(ChatError):
    """The text cannot be posted."""


class MessageExpired(InvalidMessage):
    """The message was posted before, and has come to its end."""


class NotFound(ChatError):
    """There is no such room, or it has ended."""


class NotAMember(ChatError):
    """Only members of the room may do this."""


class NotAllowed(ChatError):
    """This member may not do that to what is another's."""


class UnknownVisitor(ChatError):
    """The visitor was forgotten or has expired."""


class PuzzleUnsolved(ChatError):
    """Whoever comes in has to solve a puzzle first; `details` are its `challenge` and `bits`."""


class LimitReached(ChatError):
    """Something that can grow has grown to its bound."""


class TooOften(LimitReached):
    """Something was done more often than it may be; `details["seconds"]` tells how long to wait."""


class TooManyPhrases(TooOften):
    """Too many secret phrases were tried for one nickname."""


class Unavailable(ChatError):
    """The database cannot answer now; the same may succeed in a moment."""


class StartError(Exception):
    """The chat cannot start; the text is the one line that the operator reads."""

    def __str__(self) -> str:
        """Return the line; what would break it, such as a path may contain, is escaped."""
        line = super().__str__()
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class WrongKeys(StartError):
    """The keys are not those that the database was written with."""
