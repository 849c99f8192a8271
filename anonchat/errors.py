"""Errors that are shown to visitors, and errors that stop the start.

A `ChatError` carries an English sentence (the key of its translation) and the values of its
placeholders; pages translate it and show it beside its cause. Any other exception is a bug: it is
logged, not shown.

    ChatError
    ├── InvalidNickname ── NicknameTaken ── WrongPhrase
    ├── InvalidPhrase
    ├── InvalidRoom ── RoomNameTaken (── RoomNameConfusable), InvalidTopic, InvalidLifetime,
    │                  InvalidRules, InvalidPassword
    ├── InvalidMessage ── MessageExpired, UnwantedWord
    ├── NeedsConfirmation
    ├── Refused
    ├── NotFound ── InviteGone
    ├── InvalidInvite
    ├── NotAMember
    ├── NotAllowed ── Muted, RoomPaused, Banned,
    │                 DoorClosed ── PasswordRequired, WrongPassword, RoomLocked, MustKnock,
    │                               TurnedAway
    ├── UnknownVisitor
    ├── ChallengeUnsolved
    ├── LimitReached ── RateLimited ── TooManyPhrases, TooSoon
    └── Unavailable
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar


def N_(sentence: str) -> str:
    """Mark a sentence for translation, and return it unchanged."""
    return sentence


class ChatError(Exception):
    """A refused request, with a reason to show.

    `sentence` is English with `{named}` placeholders, `details` has their values. Errors with one
    reason have a `default` sentence.
    """

    default: ClassVar[str]

    def __init__(self, sentence: str = "", **details: object) -> None:
        sentence = sentence or self.default
        super().__init__(sentence.format(**details))
        self.sentence = sentence
        self.details = details


class InvalidNickname(ChatError):
    """The nickname cannot be used."""


class NicknameTaken(InvalidNickname):
    """The nickname, or one that looks like it, belongs to another visitor."""


class WrongPhrase(NicknameTaken):
    """The nickname is taken, and the secret phrase does not match it."""

    default = N_("That nickname, or one like it, is taken, and this is not its secret phrase.")


class InvalidPhrase(ChatError):
    """The secret phrase cannot be used."""


class InvalidRoom(ChatError):
    """A name, topic or lifetime of a room cannot be used."""


class RoomNameTaken(InvalidRoom):
    """A listed room with that name already exists."""

    default = N_("There is a room of that name already.")


class RoomNameConfusable(RoomNameTaken):
    """A listed room has a different name that looks the same."""

    default = N_("There is a room with a name that looks the same.")


class InvalidTopic(InvalidRoom):
    """The topic cannot be used."""


class InvalidLifetime(InvalidRoom):
    """A lifetime of a room or its messages cannot be used."""


class InvalidRules(InvalidRoom):
    """A rule of a room cannot be used; `details` has the name of the `rule`, except for words."""


class InvalidPassword(InvalidRoom):
    """A password of a room cannot be used."""


class InvalidMessage(ChatError):
    """The text cannot be posted."""


class MessageExpired(InvalidMessage):
    """The message was posted before and has expired since."""


class UnwantedWord(InvalidMessage):
    """The text has a `word` that the room does not want."""

    default = N_("“{word}” is not wanted in this room.")


class NeedsConfirmation(ChatError):
    """The message is stored if its author confirms it; `warnings` are the reasons."""

    default = N_("Send this anyway?")

    def __init__(self, warnings: Sequence[str]) -> None:
        super().__init__(warnings=tuple(warnings))
        self.warnings = tuple(warnings)


class Refused(ChatError):
    """A plugin refuses; the sentence is its reason.

    Without details, braces in the sentence are no placeholders: it may quote what somebody wrote.
    """

    def __init__(self, sentence: str, **details: object) -> None:
        if not details:
            sentence = sentence.replace("{", "{{").replace("}", "}}")
        super().__init__(sentence, **details)


class NotFound(ChatError):
    """There is no such room or message, or it has ended."""

    default = N_("There is no such room, or it has ended.")


class InviteGone(NotFound):
    """There is no such invitation, or it cannot be used any more."""

    default = N_("This invitation was used up or revoked, or has expired.")


class InvalidInvite(ChatError):
    """An invitation cannot be like that."""


class NotAMember(ChatError):
    """Only members of the room may do this."""

    default = N_("Only members can do that. Join the room first.")


class NotAllowed(ChatError):
    """The member may not do this to something of another member."""


class DoorClosed(NotAllowed):
    """The visitor may not come into the room, or not yet."""


class PasswordRequired(DoorClosed):
    """The room has a password."""

    default = N_("This room has a password.")


class WrongPassword(DoorClosed):
    """That is not the password of the room; or there is no such room, which nobody is told."""

    default = N_("That is not the password.")


class MustKnock(DoorClosed):
    """Owner and helpers let in each one, who has to ask."""

    default = N_("Who wants to come into this room has to ask.")


class TurnedAway(DoorClosed):
    """The visitor has asked, and was not let in."""

    default = N_("You were not let in.")


class RoomLocked(DoorClosed):
    """Nobody else may come in."""

    default = N_("This room is locked: nobody else can come in.")


class Muted(NotAllowed):
    """The member may not write in the room for a while.

    `until` is when that ends, and `left` how long it takes, if it ends before the room does.
    """

    default = N_("You cannot write in this room any more.")

    def __init__(self, until: datetime, left: str = "") -> None:
        if left:
            super().__init__(N_("You cannot write in this room for another {left}."), left=left)
        else:
            super().__init__()
        self.until = until


class RoomPaused(NotAllowed):
    """Only the owner of the room and its helpers may write just now."""

    default = N_("Only helpers may write in this room just now.")


class Banned(NotAllowed):
    """The visitor, or one whose nickname looks the same, may not come into the room again."""

    default = N_("You cannot come into this room any more.")


class UnknownVisitor(ChatError):
    """The visitor was forgotten or has expired."""

    default = N_("Please come in again.")


class ChallengeUnsolved(ChatError):
    """Signing in needs a proof of work first; `details` has its `challenge` and `bits`."""


class LimitReached(ChatError):
    """A maximum number or size is reached."""


class RateLimited(LimitReached):
    """A rate limit is exceeded; `details["seconds"]` is how long to wait."""

    default = N_("That was too often. Please try again in {seconds} s.")


class TooManyPhrases(RateLimited):
    """Too many secret phrases were tried for one nickname."""

    default = N_(
        "Too many secret phrases were tried for this nickname. Please try again in {seconds} s."
    )


class TooSoon(RateLimited):
    """The room is in slow mode, and the last message of the member is not long enough ago."""

    default = N_("This room is in slow mode. You can write again in {seconds} s.")


class Unavailable(ChatError):
    """The database is unavailable; a retry may succeed."""

    default = N_("That could not be kept just now. Please try again.")


class StartupError(Exception):
    """The chat cannot start; the text is one line for the operator."""

    def __str__(self) -> str:
        """Return the line, with unprintable characters (a path may contain some) escaped."""
        line = super().__str__()
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class KeyStoreMismatch(StartupError):
    """The key store does not belong to the database."""
