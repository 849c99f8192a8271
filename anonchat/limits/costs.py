"""Costs of operations in milliseconds of processor time, which `WorkBudget` charges."""

from typing import Final

from ..entities import FoundMessages, TranscriptFile
from ..text.mentions import may_mention


class Cost:
    """Estimated processor time in milliseconds, summed over all threads of the process.

    Most values were measured on a server with two processors at 2.1 GHz, SQLite, and rooms of 200
    messages of 3,900 characters, as processor time of the process while one operation ran ten times
    a second. They were raised where `make bench ARGS=flood` showed that a flood of the operation
    still slowed down other clients. On other machines all values are off by about the same factor,
    which is sufficient for a budget.
    """

    PACKET: Final = 0.8
    """A packet over a socket: parsing it and calling its handler."""
    PACKET_KIB: Final = 0.02
    """Each KiB of a packet."""
    SOCKET: Final = 6.0
    """Opening a socket: the handshake, and the subscriptions of every list of its page."""
    POLL: Final = 1.0
    """A long-polling request of a socket."""
    LIST_QUERY: Final = 3.0
    """The database query of a list that catches up or loads a page of rows."""
    ROW: Final = 0.06
    """Each row of the result: reading, decrypting and rendering it, unless it is cached."""
    SENT_KIB: Final = 0.03
    """Each KiB sent to one browser page."""
    PAGE_UPDATE: Final = 0.02
    """One update sent to one browser page."""
    SEARCH: Final = 0.5
    """A search for rooms."""
    ROOM_SEARCHED: Final = 0.003
    """Each public room that a search examines, assuming that it matches."""
    MESSAGE_SEARCHED: Final = 0.07
    """Each message that a search reads, decrypts and examines."""
    CHARACTER_SEARCHED: Final = 0.00003
    """Each character of these messages."""
    MESSAGE_SAVED: Final = 0.1
    """Each message of a file that a visitor saves: reading, decrypting and writing it."""
    POST: Final = 5.0
    """A post: encrypting, committing and rendering it once."""
    POST_CHARACTER: Final = 0.002
    """Each character of a post."""
    MENTION: Final = 5.0
    """Finding who is mentioned in a post: the members of the room may have to be loaded."""
    EDIT: Final = 75.0
    """An edit: as a deletion and a post."""
    REACTION: Final = 4.0
    """Adding or removing a reaction."""
    TYPING: Final = 0.5
    """A signal that a member is typing, without the update of each browser page in the room."""
    DRAWN_CHARACTER: Final = 0.001
    """Each character of a text that is drawn as HTML for a client of the API."""
    DELETE: Final = 70.0
    """A deletion: a new key for the span, and re-encryption of its other messages.

    Opening a message once may end with one.
    """
    MODERATE: Final = 12.0
    """Changing the role of a member, muting, removing or banning one."""
    DELETE_ALL: Final = 250.0
    """Deleting all that somebody has written: new keys for some spans, and their re-encryption."""
    JOIN: Final = 8.0
    """Joining or leaving a room: a transaction, and updates of member and room lists."""
    PASSWORD: Final = 25.0
    """Hashing the password of a room."""
    NEW_ROOM: Final = 24.0
    """Creating a room: its key is written to disk, and lobbies are updated."""
    ROOM_CHANGE: Final = 24.0
    """Changing a room: as creating one; its members' pages are updated too."""
    READ_MARK: Final = 1.5
    """Storing how far a member has read."""
    PREFERENCES: Final = 8.0
    """A change of what a visitor shows, in every room that they have open."""
    PRESENCE: Final = 1.0
    """A change of presence, without the update of each browser page in the room."""
    SUGGESTION: Final = 4.0
    """Suggesting a nickname, including the check that it is free."""
    PLAIN_FORM: Final = 3.0
    """A login form posted without scripts: its answer, without the sign-in itself."""
    SIGN_IN: Final = 15.0
    """Signing in: a key is written to disk."""
    API_CALL: Final = 1.5
    """An API call, without the operation itself."""
    LOOKUP: Final = 5.0
    """Loading one room and its members."""
    OWN_ROOM: Final = 0.15
    """Each room in the list of a visitor's own rooms."""
    STREAM: Final = 10.0
    """Opening an event stream: presence changes, and missed events are sent."""
    STREAM_WRITE: Final = 0.15
    """One write to an event stream."""
    LOBBY_PAGE: Final = 24.0
    """The lobby page."""
    DIALOG: Final = 8.0
    """Building a dialog that a visitor opens."""
    PLUGIN: Final = 8.0
    """A panel or an action of a plugin, as far as it is known; most do less."""
    SUB_PAGE: Final = 12.0
    """The lobby or a room, opened on a page that is shown."""
    ROOM_PAGE: Final = 30.0
    """A room page."""
    STATIC_PAGE: Final = 10.0
    """A page without lists: login, privacy or an error."""
    REDIRECT: Final = 4.0
    """A redirect."""
    ASSET: Final = 0.7
    """A script or stylesheet, from memory."""
    PURGE: Final = 50.0
    """Burning a room or forgetting a visitor: keys and rows are destroyed."""


def cost_of_search(found: FoundMessages) -> float:
    """Return the cost, in milliseconds, of a search."""
    messages = Cost.MESSAGE_SEARCHED * found.searched
    return Cost.LIST_QUERY + messages + Cost.CHARACTER_SEARCHED * found.characters


def cost_of_export(file: TranscriptFile) -> float:
    """Return the cost of a file with messages that is saved."""
    return (
        Cost.LIST_QUERY + Cost.MESSAGE_SAVED * file.count + Cost.SENT_KIB * len(file.content) / 1024
    )


def cost_of_post(text: str) -> float:
    """Return the cost of a post, without the update of each page that shows it."""
    mentions = Cost.MENTION if may_mention(text) else 0.0
    return Cost.POST + Cost.POST_CHARACTER * len(text) + mentions


def cost_of_edit(text: str) -> float:
    """Return the cost of an edit, without the update of each page that shows it."""
    return cost_of_post(text) - Cost.POST + Cost.EDIT
