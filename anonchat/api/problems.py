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
NOT_SUPPORTED = Problem(
    "not-supported", 422, "Not supported", "This version does not support rooms with a password."
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
    "Its name, its topic or one of its lifetimes is out of bounds.",
)
INVALID_MESSAGE = Problem(
    "invalid-message",
    422,
    "The message is invalid",
    "Its text is empty or too long, or is no command.",
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
NOT_ALLOWED = Problem(
    "not-allowed",
    403,
    "You may not do this",
    "A message may be deleted by its author and the room's owner, and edited by its author if it "
    "has no kind and is not `once`. One that is may be opened by each reader a single time. "
    "A room may be changed or deleted by its owner.",
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
    "You post, edit, use commands, join, create or change rooms, sign in or call more often than "
    "allowed, or too many secret phrases were tried for this nickname, by you or others. "
    "`Retry-After` is the number of seconds to wait.",
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
    errors.NeedsConfirmation: NEEDS_CONFIRMATION,
    errors.Refused: REFUSED,
    PluginFailed: PLUGIN_FAILED,
    errors.NotFound: NOT_FOUND,
    errors.NotAMember: NOT_A_MEMBER,
    errors.NotAllowed: NOT_ALLOWED,
    errors.UnknownVisitor: UNKNOWN_VISITOR,
    errors.ChallengeUnsolved: PUZZLE_UNSOLVED,
    errors.RateLimited: TOO_OFTEN,
    errors.LimitReached: LIMIT_REACHED,
    errors.Unavailable: UNAVAILABLE,
}
"""Problems by error class; an error without an entry has the problem of its base class."""

PROBLEMS = (
    *BY_ERROR.values(),
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    INVALID_REQUEST,
    NOT_SUPPORTED,
    INTERNAL,
)
"""All problem types of the API."""


class ProblemException(Exception):
    """A request refused by the API layer itself."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(detail or problem.meaning)
        self.problem = problem
