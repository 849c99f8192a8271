"""Whom each socket speaks for: the one page that it shook hands for, and nobody else.

NiceGUI takes the page from the message and asks nothing of the socket; whoever learns the id of a
page could act for it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl

from nicegui import Client, background_tasks, core
from socketio import exceptions

from anonchat import Chat, ConnectionLimit, LimitReached, Networks, TooOften, neighbourhood

from ..connections import Connections
from .engine import EngineSockets
from .lines import Line, find_line, forget
from .packets import is_saying

_log = logging.getLogger(__name__)

_HANDSHAKE_SECONDS = 15.0  # what a page says may have to wait for its turn (`Pacing`)
_UNREAD_LEAST = 65_536  # bytes of packets that may wait for a socket without being counted
_UNREAD_MOST = 1_048_576
_LATE_SECONDS = 0.5
_FIELD_CHARACTERS = 64
_FIELDS_MOST = 20
_LOAD_AGAIN = "Implicit handshake failed"  # the words at which NiceGUI's pages do so
_NAMES = {"client_id", "tab_id", "document_id"}

# engine.io's words for what strangers do wrong, and pages that come late.
_NO_NEWS = (
    "bad-jsonp-index",
    "bad-origin",
    "bad-sid",
    "bad-transport",
    "bad-upgrade",
    "bad-version",
    "not-connected",
    "unexpected-http",
)

Hello = dict[str, str]
Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a page was drawn for: a visitor, a stranger with a pass, or just any stranger."""

    visitor_id: str = ""
    pass_id: str = ""

    @property
    def name(self) -> str:
        """The name under which they are counted; "" for just any stranger."""
        return self.visitor_id or (f"pass {self.pass_id}" if self.pass_id else "")


@dataclass(slots=True, eq=False)
class _Socket:
    """One socket, from the first byte on."""

    address: str
    networks: Networks
    holder: str  # as whom it is counted
    patience: asyncio.TimerHandle
    abort: Callable[[], None]
    is_behind: bool = False
    hello: Hello = field(default_factory=dict)
    sid: str = ""


class Sockets:
    """Knows every open socket, and stands between it and NiceGUI.

    A socket counts for the visitor of its page, one of any other page for its client network.
    `refused` counts what was not let through, by why: `crowded` (too many of one of these, or at
    all), `silent` (no handshake in time), `foreign` (for a page that is not its own), `malformed`,
    `flooding` (more events than a page of ours can make: what it said comes again with its next
    socket), `unread` (too much waits for one who does not read it).

    A socket counts against its address until nothing of it is left in memory.
    """

    def __init__(self, chat: Chat, *, connections: Connections, refused: Counter[str]) -> None:
        self.refused = refused
        self.engine = EngineSockets()
        self._connections = connections
        self._told: Counter[str] = Counter()
        self._most = chat.settings.connections_max
        self._networks_of = chat.network_shares.of_address
        self._counted = ConnectionLimit(
            per_visitor=chat.settings.sockets_per_visitor_max,
            per_network=chat.settings.sockets_per_address_max,
            network_total=chat.settings.connections_per_address_max,
        )
        self._limit = chat.limits.events
        self._open: dict[str, _Socket] = {}  # by the id that engine.io gives
        self._pages: dict[str, str] = {}  # which page a socket shook hands for, by its sid
        self._silenced: set[str] = set()
        engine, events = core.sio.eio.handlers, core.sio.handlers["/"]
        self._engine: dict[str, Handler] = {**engine}
        self._events: dict[str, Handler] = {**events}

    def stand_guard(self) -> None:
        """Take the places of the handlers that were there, and call them for what is welcome."""
        self.engine.install()
        core.sio.eio.cors_allowed_origins = []  # says nothing of origins: ours come no further
        core.sio.eio.log_message_keys.update(_NO_NEWS)  # as if they had been logged already
        core.sio.eio.on("connect", self._on_open)
        core.sio.eio.on("message", self._on_message)
        core.sio.eio.on("disconnect", self._on_close)
        core.sio.on("connect", self._on_connect)
        core.sio.on("handshake", self._on_handshake)
        for event in ("event", "ack", "javascript_response"):
            core.sio.on(event, self._for_own_page(event))
        core.sio.on("log", _ignore)  # a browser has nothing to write in our log

    def count(self) -> int:
        """Return how many sockets are open."""
        return len(self._open)

    def is_full(self, address: str) -> bool:
        """Return whether a stranger at that address could open no socket."""
        return self._counted.is_full(self._networks_of(address))

    def silence(self, page: str) -> None:
        """Let nobody speak for a page any more, nor come back; what it is told still arrives."""
        self._silenced.add(page)
        for sid, _ in core.sio.manager.get_participants("/", page):
            self._pages.pop(sid, None)

    def forget(self, page: str) -> None:
        """Know nothing of a page that is no more."""
        self._silenced.discard(page)

    def cut(self, page: str) -> None:
        """End every socket of a page."""
        for _, engine_id in list(core.sio.manager.get_participants("/", page)):
            self.cut_socket(engine_id)

    def cut_socket(self, engine_id: str) -> None:
        """End a socket by the id that engine.io gave it, if it is open."""
        if line := find_line(engine_id):
            line.abort()
        elif (socket := core.sio.eio.sockets.get(engine_id)) and not socket.closing:
            background_tasks.create(socket.close(wait=False), name="cut")

    def stop(self) -> None:
        """Answer those who poll, for whoever stops the server waits until all is answered."""
        for engine_id in list(self._open):
            if not find_line(engine_id):
                self.cut_socket(engine_id)

    def tell_refused(self) -> None:
        """Write what was refused since the last time into the log, as counts."""
        if fresh := self.refused - self._told:
            counts = ", ".join(f"{count} {why}" for why, count in sorted(fresh.items()))
            _log.warning("sockets and what they said were refused: %s", counts)
            self._told = self.refused.copy()

    async def _on_open(self, engine_id: str, environ: dict[str, Any]) -> bool | None:
        client = environ["asgi.scope"].get("client")
        address = client[0] if client else ""
        networks = self._networks_of(address)
        holder = find_holder(environ.get("QUERY_STRING", "")).name
        try:
            if len(self.engine) >= self._most:
                raise LimitReached("too many sockets")
            self._counted.open(networks, visitor_id=holder)
        except LimitReached:
            self.refused["crowded"] += 1
            return False
        socket = self._open[engine_id] = _Socket(
            neighbourhood(address),
            networks,
            holder,
            self._have_patience(engine_id),
            abort=partial(self.cut_socket, engine_id),
        )
        queue = self.engine.begin(engine_id, _read_line(environ))
        queue.on_change = partial(self._note_unread, socket, address)
        await self._engine["connect"](engine_id, environ)
        return None

    async def _on_message(self, engine_id: str, packet: object) -> None:
        if not self._may_speak(engine_id):
            self.refused["flooding"] += 1
            self.cut_socket(engine_id)
            return
        if not is_saying(packet):
            self._refuse_malformed(engine_id)
            return
        try:
            await self._engine["message"](engine_id, packet)
        except Exception:  # it could not be read: a page of ours does not say such things
            self._refuse_malformed(engine_id)

    async def _on_close(self, engine_id: str, reason: str) -> None:
        if socket := self._open.pop(engine_id, None):
            socket.patience.cancel()
            self._pages.pop(socket.sid, None)
            background_tasks.create(self._let_go(engine_id, socket), name="end of a socket")
        await self._engine["disconnect"](engine_id, reason)
        forget(engine_id)

    async def _let_go(self, engine_id: str, socket: _Socket) -> None:
        """Count a closed socket no more, once nothing of it is left."""
        await self.engine.end(engine_id)
        self._connections.forget_unread(socket)
        self._counted.close(socket.networks, visitor_id=socket.holder)

    async def _on_connect(self, sid: str, environ: dict[str, Any], _auth: object = None) -> None:
        socket = self._open.get(core.sio.manager.eio_sid_from_sid(sid, "/"))
        hello = _read_hello(environ)
        if socket is None or socket.sid or hello is None:
            self.refused["malformed"] += 1
            raise exceptions.ConnectionRefusedError(_LOAD_AGAIN)
        socket.sid, socket.hello = sid, hello
        if self._is_silenced(socket):
            raise exceptions.ConnectionRefusedError(_LOAD_AGAIN)
        await self._events["connect"](sid, environ)
        if hello.get("implicit_handshake") == "true":
            self._welcome(socket)

    async def _on_handshake(self, sid: str, *_said: object) -> bool:
        """Shake hands later, as a page does that was loaded before anybody wanted to see it."""
        socket = self._open.get(core.sio.manager.eio_sid_from_sid(sid, "/"))
        if socket is None or not socket.hello or sid in self._pages or self._is_silenced(socket):
            self.refused["malformed"] += 1
            return False
        if await self._events["handshake"](sid, socket.hello):
            self._welcome(socket)
        return sid in self._pages

    def _is_silenced(self, socket: _Socket) -> bool:
        return socket.hello["client_id"] in self._silenced

    def _welcome(self, socket: _Socket) -> None:
        socket.patience.cancel()
        self._pages[socket.sid] = socket.hello["client_id"]

    def _for_own_page(self, event: str) -> Callable[..., None]:
        handle = cast(Callable[[str, dict[str, Any]], None], self._events[event])

        def listen(sid: str, *said: object) -> None:
            message = said[0] if len(said) == 1 else None
            if not isinstance(message, dict):
                self.refused["malformed"] += 1
            elif sid not in self._pages or message.get("client_id") != self._pages[sid]:
                self.refused["foreign"] += 1
            else:
                try:
                    handle(sid, message)
                except Exception:  # what our own handlers raise, NiceGUI has caught
                    self.refused["malformed"] += 1

        return listen

    def _may_speak(self, engine_id: str) -> bool:
        """Count what is said for a page on all its sockets; before that by who holds the socket."""
        if socket := self._open.get(engine_id):
            try:
                self._limit.spend(self._pages.get(socket.sid, socket.holder or socket.address))
            except TooOften:
                return False
        return True

    def _refuse_malformed(self, engine_id: str) -> None:
        self.refused["malformed"] += 1
        self.cut_socket(engine_id)

    def _note_unread(self, socket: _Socket, address: str, size: int) -> None:
        if size < _UNREAD_LEAST:
            self._connections.forget_unread(socket)
        elif size < _UNREAD_MOST:
            self._connections.note_unread(socket, address=address, size=size)
        elif not socket.is_behind:
            socket.is_behind = True
            self.refused["unread"] += 1
            socket.abort()

    def _have_patience(self, engine_id: str) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        until = loop.time() + _HANDSHAKE_SECONDS
        return loop.call_at(until, self._lose_patience, engine_id, until)

    def _lose_patience(self, engine_id: str, until: float) -> None:
        if asyncio.get_running_loop().time() - until > _LATE_SECONDS:
            # We are the slow ones: what we wait for may lie here unread.
            self._open[engine_id].patience = self._have_patience(engine_id)
            return
        self.refused["silent"] += 1
        self.cut_socket(engine_id)


def _read_hello(environ: dict[str, Any]) -> Hello | None:
    """Return what a page says of itself in the address of its socket, if a page could say so."""
    try:
        said = parse_qsl(environ.get("QUERY_STRING", ""), max_num_fields=_FIELDS_MOST)
        hello = dict(said)
        int(hello.get("next_message_id", "0"))
    except ValueError:
        return None
    if len(hello) < len(said) or not _NAMES <= hello.keys():
        return None
    return hello if all(len(value) <= _FIELD_CHARACTERS for value in hello.values()) else None


def find_holder(query: str) -> Holder:
    """Return whose socket it is, by the page that its address names."""
    try:
        named = parse_qs(query, max_num_fields=_FIELDS_MOST).get("client_id", [])
    except ValueError:  # no page has so many
        return Holder()
    page = Client.instances.get(named[0]) if len(named) == 1 else None
    scope = page.request.scope if page and page.request else {}
    return Holder(scope.get("visitor", ""), scope.get("pass", ""))


def _read_line(environ: dict[str, Any]) -> Line | None:
    line: Line | None = environ["asgi.scope"].get("extensions", {}).get("line")
    return line


def _ignore(_sid: str, *_said: object) -> None:
    pass
