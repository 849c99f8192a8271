"""The problem types of the API (RFC 9457), whose URIs never change."""

from collections.abc import Mapping
from dataclasses import dataclass

from .. import errors
from ..plugins.errors import PluginFailed

PATH = "/api/v1/problems/"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem type. `name` is the end of its URI, `meaning` its text in the API reference."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        """The URI of the problem type: the same on every server; leads to the API reference."""
        return PATH + self.name


INVALID_REQUEST = Problem(
    "invalid-request",
    422,
    "The request is invalid",
    "A field or parameter is missing, unknown or of the wrong type (see `errors`), or the body is "
    "not JSON.",
)
INVALID_NICKNAME = Problem(
    "invalid-nickname",
    422,
    "The nickname is invalid",
    "It is empty, too long or reserved, mixes alphabets, or resembles a badge: see `detail`.",
)
INVALID_PHRASE = Problem(
    "invalid-phrase",
    422,
    "The secret phrase is invalid",
    "It is too short or too long, or, for a nickname that is free, too easy to guess.",
)
INVALID_ROOM = Problem(
    "invalid-room",
    422,
    "The room is invalid",
    "Its name, its topic, one of its lifetimes or one of its rules is out of bounds.",
)
INVALID_MESSAGE = Problem(
    "invalid-message",
    422,
    "The message is invalid",
    "Its text is empty or too long, or is no command.",
)
UNWANTED_WORD = Problem(
    "unwanted-word",
    422,
    "The room does not want this word",
    "The owner of the room does not want a word in this text; `detail` says which.",
)
REFUSED = Problem(
    "refused", 422, "Refused by a rule of this site", "A plugin refuses it; `detail` says why."
)
PLUGIN_FAILED = Problem(
    "plugin-failed",
    500,
    "A plugin failed",
    "The error was logged. Other commands, and what is posted, are not affected.",
)
NEEDS_CONFIRMATION = Problem(
    "needs-confirmation",
    409,
    "Confirmation is needed",
    "There are doubts about the message, which `warnings` names. To post it anyway, send it with "
    "`confirmed`.",
)
MESSAGE_EXPIRED = Problem(
    "message-expired",
    410,
    "The message has expired",
    "It was posted before with this `dedup_id`, and has expired or was deleted since.",
)
NICKNAME_TAKEN = Problem(
    "nickname-taken",
    409,
    "The nickname is taken",
    "A visitor has it, or one that looks like it, with another secret phrase or none.",
)
ROOM_NAME_TAKEN = Problem(
    "room-name-taken",
    409,
    "The room name is taken",
    "A public room has it, or a name that looks the same; `detail` says which.",
)
UNKNOWN_VISITOR = Problem(
    "unknown-visitor",
    401,
    "The token is missing or invalid",
    "There is no token, it is wrong, or its visitor was deleted or has expired. Sign in again.",
)
PUZZLE_UNSOLVED = Problem(
    "puzzle-unsolved",
    403,
    "A proof of work is required",
    "Too many sign in just now, here or from your network. Find a number N such that the SHA-256 "
    "of the text `<challenge>:N` begins with as many zero bits as `puzzle.bits` says, and send "
    "that text as `solution`. A challenge is valid once, for ten minutes.",
)
NOT_A_MEMBER = Problem(
    "not-a-member", 403, "Only members may do this", "Join the room first: `PUT …/membership`."
)
PASSWORD_REQUIRED = Problem(
    "password-required", 403, "The room has a password", "Send it as `password`."
)
WRONG_PASSWORD = Problem(
    "wrong-password",
    403,
    "The password is wrong",
    "It is not that of the room, or there is no such room.",
)
ROOM_LOCKED = Problem(
    "room-locked", 403, "The room is locked", "Its owner lets nobody else in for now."
)
MUST_KNOCK = Problem(
    "must-knock",
    403,
    "You have to ask",
    "The owner of the room or a helper lets in each one: `POST …/knocks`.",
)
TURNED_AWAY = Problem("turned-away", 403, "You were not let in", "You can ask again after an hour.")
INVITE_GONE = Problem(
    "invite-gone",
    404,
    "The invitation cannot be used",
    "There is none with that code, or it was used up or revoked, or has expired.",
)
INVALID_INVITE = Problem(
    "invalid-invite",
    422,
    "The invitation is invalid",
    "It would expire too soon or too late, or could be used too often.",
)
NOT_ALLOWED = Problem(
    "not-allowed",
    403,
    "You may not do this",
    "A message may be deleted by its author and by whoever may act on them, and edited by its "
    "author if it has no kind and is not `once`. One that is may be opened by each reader a single "
    "time. A room may be changed or deleted by its owner, who may act on everybody else. Helpers "
    "may act on ordinary members.",
)
MUTED = Problem(
    "muted",
    403,
    "You are muted",
    "The owner of the room or a helper has muted you in it: you may not write before "
    "`muted_until`.",
)
ROOM_PAUSED = Problem(
    "room-paused",
    403,
    "The room is paused",
    "Only the owner of the room and its helpers may write just now.",
)
BANNED = Problem(
    "banned",
    403,
    "You are banned",
    "You, or somebody whose nickname looks the same, may not join this room.",
)
NOT_FOUND = Problem(
    "not-found",
    404,
    "Not found",
    "There is no such room, message, command or path, or it has ended.",
)
METHOD_NOT_ALLOWED = Problem(
    "method-not-allowed", 405, "Method not allowed", "The header `Allow` lists the methods."
)
TOO_LARGE = Problem(
    "too-large", 413, "The request is too large", "A request body has 64 KiB at most."
)
LIMIT_REACHED = Problem(
    "limit-reached",
    429,
    "A limit is reached",
    "There are too many rooms, members, visitors, streams or waiting posts; `detail` says which. "
    "Try again later.",
)
TOO_OFTEN = Problem(
    "too-often",
    429,
    "Too many requests",
    "You post, edit, use commands, join, invite, create or change rooms, sign in or call more "
    "often than allowed, too many wrong passwords of rooms were tried, or too many secret phrases "
    "for this nickname, by you or others. `Retry-After` is the number of seconds to wait.",
)
TOO_SOON = Problem(
    "too-soon",
    429,
    "The room is in slow mode",
    "Your last message is not long enough ago. `Retry-After` is the number of seconds to wait.",
)
INTERNAL = Problem(
    "internal-error",
    500,
    "Internal error",
    "The error was logged. A retry with the same `dedup_id` is safe.",
)
UNAVAILABLE = Problem(
    "unavailable",
    503,
    "Temporarily unavailable",
    "The disk may be full, or the database busy. Try again in a moment.",
)

BY_ERROR: Mapping[type[errors.ChatError], Problem] = {
    errors.NicknameTaken: NICKNAME_TAKEN,
    errors.InvalidNickname: INVALID_NICKNAME,
    errors.InvalidPhrase: INVALID_PHRASE,
    errors.RoomNameTaken: ROOM_NAME_TAKEN,
    errors.InvalidRoom: INVALID_ROOM,
    errors.InvalidMessage: INVALID_MESSAGE,
    errors.MessageExpired: MESSAGE_EXPIRED,
    errors.UnwantedWord: UNWANTED_WORD,
    errors.NeedsConfirmation: NEEDS_CONFIRMATION,
    errors.Refused: REFUSED,
    PluginFailed: PLUGIN_FAILED,
    errors.NotFound: NOT_FOUND,
    errors.NotAMember: NOT_A_MEMBER,
    errors.MustKnock: MUST_KNOCK,
    errors.TurnedAway: TURNED_AWAY,
    errors.InviteGone: INVITE_GONE,
    errors.InvalidInvite: INVALID_INVITE,
    errors.PasswordRequired: PASSWORD_REQUIRED,
    errors.WrongPassword: WRONG_PASSWORD,
    errors.RoomLocked: ROOM_LOCKED,
    errors.NotAllowed: NOT_ALLOWED,
    errors.Muted: MUTED,
    errors.RoomPaused: ROOM_PAUSED,
    errors.Banned: BANNED,
    errors.UnknownVisitor: UNKNOWN_VISITOR,
    errors.ChallengeUnsolved: PUZZLE_UNSOLVED,
    errors.RateLimited: TOO_OFTEN,
    errors.TooSoon: TOO_SOON,
    errors.LimitReached: LIMIT_REACHED,
    errors.Unavailable: UNAVAILABLE,
}
"""Problems by error class; an error without an entry has the problem of its base class."""

PROBLEMS = (
    *BY_ERROR.values(),
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    INVALID_REQUEST,
    INTERNAL,
)
"""All problem types of the API."""


class ProblemException(Exception):
    """A request refused by the API layer itself."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(detail or problem.meaning)
        self.problem = problem
