"""What things cost, in milliseconds of processor time: what `WorkBudget` is charged."""

from typing import Final


class Cost:
    """Estimates of processor time in milliseconds, all threads of the process together.

    Most were measured on a server with two processors at 2.1 GHz, SQLite, and rooms of 200 messages
    of 3,900 characters, as the processor time of the process while one thing was done ten times a
    second. They were raised where `make bench ARGS=flood` showed that a flood of it still slowed
    others down. Elsewhere they are as wrong as that machine is faster or slower, all in the same
    direction, which is what a budget needs.
    """

    PACKET: Final = 0.8
    """A packet over a socket: it is parsed, and reaches its handler."""
    PACKET_KIB: Final = 0.02
    """Each KiB of it."""
    SOCKET: Final = 6.0
    """A socket that opens: the handshake, and every list of its page joins its topics."""
    POLL: Final = 1.0
    """A polled request of a socket."""
    QUESTION: Final = 3.0
    """A question of a list to catch up or for a page: what is asked of the database for it."""
    ROW: Final = 0.06
    """Each row of the answer: it is read, opened and drawn, unless it is kept."""
    SENT_KIB: Final = 0.03
    """Each KiB that is sent to one screen."""
    SCREEN: Final = 0.02
    """One change written to one screen."""
    SEARCH: Final = 0.5
    """A search for rooms."""
    ROOM_SEARCHED: Final = 0.003
    """Each public room that a search looks at, if it matches as all may."""
    POST: Final = 5.0
    """A post: it is sealed, committed, and drawn once."""
    POST_CHARACTER: Final = 0.002
    """Each character of it."""
    DELETE: Final = 70.0
    """A deletion: the key of its span is renewed, and its neighbours are sealed anew."""
    JOIN: Final = 8.0
    """Joining a room or leaving it: a transaction, and lists of members and rooms change."""
    NEW_ROOM: Final = 24.0
    """A new room: its key is written to disk, and lobbies are told."""
    READ_MARK: Final = 1.5
    """A note of how far somebody has read."""
    PRESENCE: Final = 1.0
    """A member who comes or goes, besides what each screen of the room is told."""
    SUGGESTION: Final = 4.0
    """A nickname that is suggested: whether it is free is asked for."""
    SIGN_IN: Final = 15.0
    """Signing in: a key is written to disk."""
    CALL: Final = 1.5
    """A call of the API, besides what it is for."""
    LOOKUP: Final = 5.0
    """Looking at one room, and at who is in it."""
    OWN_ROOM: Final = 0.15
    """Each room in the list of one's own."""
    STREAM: Final = 10.0
    """An event stream that opens: who listens is here, and is told what was missed."""
    STREAMED: Final = 0.15
    """What is written to an event stream at once."""
    LOBBY_PAGE: Final = 24.0
    """The page of the lobby."""
    ROOM_PAGE: Final = 30.0
    """The page of a room."""
    STATIC_PAGE: Final = 7.0
    """A page without lists: the login, what is kept, or an error."""
    REDIRECT: Final = 4.0
    """An answer that leads elsewhere."""
    ASSET: Final = 0.7
    """A script or style, from memory."""
    END: Final = 50.0
    """A room that is burnt, or a visitor who is forgotten: keys and rows are destroyed."""
