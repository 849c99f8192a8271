"""Authorization of sockets: each may send events only for the page of its handshake.

NiceGUI reads the page id from the event and does not check the socket, so any client that learns
the id of a page could act for it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from nicegui import background_tasks, core
from socketio import exceptions

from anonchat import Chat, ConnectionLimit, LimitReached, Networks, RateLimited, client_network

from .connections import Connections
from .engine import EngineSockets
from .packets import is_allowed_packet
from .page_handshake import HandshakeParams, find_holder, read_handshake_params
from .websocket import drop_socket_state, find_websocket, websocket_of

_log = logging.getLogger(__name__)

_HANDSHAKE_TIMEOUT_SECONDS = 15.0  # packets may be delayed by `PacketRateLimitMiddleware`
_UNCOUNTED_QUEUE_BYTES = 65_536  # shorter queues do not count as unread
_MAX_QUEUE_BYTES = 1_048_576
_MAX_TIMER_DELAY_SECONDS = 0.5
_RELOAD_ERROR = "Implicit handshake failed"  # NiceGUI's pages reload on this text

# Log keys of engine.io for invalid or late requests, which any client can cause.
_IGNORED_LOG_KEYS = (
    "bad-jsonp-index",
    "bad-origin",
    "bad-sid",
    "bad-transport",
    "bad-upgrade",
    "bad-version",
    "not-connected",
    "unexpected-http",
)

Handler = Callable[..., Awaitable[Any]]


@dataclass(slots=True, eq=False)
class _Socket:
    """An open socket."""

    address: str
    networks: Networks
    holder: str  # `PageHolder.name`
    handshake_timer: asyncio.TimerHandle
    abort: Callable[[], None]
    is_aborted: bool = False
    params: HandshakeParams = field(default_factory=dict)
    sid: str = ""


class SocketAuthorizer:
    """Limits open sockets, and checks their events before NiceGUI handles them.

    A socket counts towards its visitor or pass, or else towards its client network, until nothing
    of it is left in memory. `refused` counts refusals by reason: `crowded` (too many sockets),
    `silent` (no handshake in time), `foreign` (event for another page), `malformed`, `flooding`
    (more events than a page can send; the page sends them again over its next socket), `unread`
    (too many unread packets).
    """

    def __init__(self, chat: Chat, *, connections: Connections, refused: Counter[str]) -> None:
        self.refused = refused
        self.engine = EngineSockets()
        self._connections = connections
        self._logged: Counter[str] = Counter()
        self._max_sockets = chat.settings.connections_max
        self._networks_of = chat.network_shares.networks_of_address
        self._connection_limit = ConnectionLimit(
            per_visitor=chat.settings.sockets_per_visitor_max,
            per_network=chat.settings.sockets_per_ip_max,
            network_total=chat.settings.connections_per_ip_max,
        )
        self._event_limit = chat.limits.events
        self._open: dict[str, _Socket] = {}  # by engine.io id
        self._pages: dict[str, str] = {}  # page id of the handshake, by socket.io sid
        self._blocked_pages: set[str] = set()
        self._engine_handlers: dict[str, Handler] = {**core.sio.eio.handlers}
        self._event_handlers: dict[str, Handler] = {**core.sio.handlers["/"]}

    def install(self) -> None:
        """Replace the handlers of socket.io and NiceGUI; call them for allowed events only."""
        self.engine.install()
        core.sio.eio.cors_allowed_origins = []  # only same-origin requests get here
        core.sio.eio.log_message_keys.update(_IGNORED_LOG_KEYS)  # engine.io logs each key once
        core.sio.eio.on("connect", self._on_open)
        core.sio.eio.on("message", self._on_message)
        core.sio.eio.on("disconnect", self._on_close)
        core.sio.on("connect", self._on_connect)
        core.sio.on("handshake", self._on_handshake)
        for event in ("event", "ack", "javascript_response"):
            core.sio.on(event, self._only_for_own_page(event))
        core.sio.on("log", _ignore)  # browsers must not write to the log

    def count(self) -> int:
        """Return how many sockets are open."""
        return len(self._open)

    def is_full(self, address: str) -> bool:
        """Return whether an unauthenticated client at that address could open no socket."""
        return self._connection_limit.is_full(self._networks_of(address))

    def block_page(self, page: str) -> None:
        """Refuse events and new sockets of a page; it still receives updates."""
        self._blocked_pages.add(page)
        for sid, _ in core.sio.manager.get_participants("/", page):
            self._pages.pop(sid, None)

    def unblock_page(self, page: str) -> None:
        """Drop the state of a deleted page."""
        self._blocked_pages.discard(page)

    def close_page_sockets(self, page: str) -> None:
        """Close all sockets of a page."""
        for _, engine_id in list(core.sio.manager.get_participants("/", page)):
            self.close_socket(engine_id)

    def close_socket(self, engine_id: str) -> None:
        """Close a socket by its engine.io id, if it is open."""
        if websocket := find_websocket(engine_id):
            websocket.abort()
        elif (socket := core.sio.eio.sockets.get(engine_id)) and not socket.closing:
            background_tasks.create(socket.close(wait=False), name="close a polling socket")

    def close_polling_sockets(self) -> None:
        """Close all polling sockets, as the server waits for open requests when it stops."""
        for engine_id in list(self._open):
            if not find_websocket(engine_id):
                self.close_socket(engine_id)

    def log_refused(self) -> None:
        """Log the counts of refusals since the last call."""
        if new := self.refused - self._logged:
            counts = ", ".join(f"{count} {reason}" for reason, count in sorted(new.items()))
            _log.warning("sockets, packets or connections refused: %s", counts)
            self._logged = self.refused.copy()

    async def _on_open(self, engine_id: str, environ: dict[str, Any]) -> bool | None:
        client = environ["asgi.scope"].get("client")
        address = client[0] if client else ""
        networks = self._networks_of(address)
        holder = find_holder(environ.get("QUERY_STRING", "")).name
        try:
            if len(self.engine) >= self._max_sockets:
                raise LimitReached("too many sockets")
            self._connection_limit.open(networks, visitor_id=holder)
        except LimitReached:
            self.refused["crowded"] += 1
            return False
        socket = self._open[engine_id] = _Socket(
            client_network(address),
            networks,
            holder,
            self._start_handshake_timer(engine_id),
            abort=partial(self.close_socket, engine_id),
        )
        queue = self.engine.register(engine_id, websocket_of(environ["asgi.scope"]))
        queue.on_change = partial(self._note_unread, socket, address)
        await self._engine_handlers["connect"](engine_id, environ)
        return None

    async def _on_message(self, engine_id: str, packet: object) -> None:
        if not self._is_within_limit(engine_id):
            self.refused["flooding"] += 1
            self.close_socket(engine_id)
            return
        if not is_allowed_packet(packet):
            self._refuse_malformed(engine_id)
            return
        try:
            await self._engine_handlers["message"](engine_id, packet)
        except Exception:  # socket.io could not decode it
            self._refuse_malformed(engine_id)

    async def _on_close(self, engine_id: str, reason: str) -> None:
        if socket := self._open.pop(engine_id, None):
            socket.handshake_timer.cancel()
            self._pages.pop(socket.sid, None)
            background_tasks.create(self._release(engine_id, socket), name="release a socket")
        await self._engine_handlers["disconnect"](engine_id, reason)
        drop_socket_state(engine_id)

    async def _release(self, engine_id: str, socket: _Socket) -> None:
        """Stop counting a closed socket, once its resources are released."""
        await self.engine.release(engine_id)
        self._connections.clear_unread(socket)
        self._connection_limit.close(socket.networks, visitor_id=socket.holder)

    async def _on_connect(self, sid: str, environ: dict[str, Any], _auth: object = None) -> None:
        socket = self._open.get(core.sio.manager.eio_sid_from_sid(sid, "/"))
        params = read_handshake_params(environ)
        if socket is None or socket.sid or params is None:
            self.refused["malformed"] += 1
            raise exceptions.ConnectionRefusedError(_RELOAD_ERROR)
        socket.sid, socket.params = sid, params
        if self._is_blocked(socket):
            raise exceptions.ConnectionRefusedError(_RELOAD_ERROR)
        await self._event_handlers["connect"](sid, environ)
        if params.get("implicit_handshake") == "true":
            self._complete_handshake(socket)

    async def _on_handshake(self, sid: str, *_args: object) -> bool:
        """Handle the later handshake of a page that the browser has prerendered."""
        socket = self._open.get(core.sio.manager.eio_sid_from_sid(sid, "/"))
        if socket is None or not socket.params or sid in self._pages or self._is_blocked(socket):
            self.refused["malformed"] += 1
            return False
        if await self._event_handlers["handshake"](sid, socket.params):
            self._complete_handshake(socket)
        return sid in self._pages

    def _is_blocked(self, socket: _Socket) -> bool:
        return socket.params["client_id"] in self._blocked_pages

    def _complete_handshake(self, socket: _Socket) -> None:
        socket.handshake_timer.cancel()
        self._pages[socket.sid] = socket.params["client_id"]

    def _only_for_own_page(self, event: str) -> Callable[..., None]:
        handle = cast(Callable[[str, dict[str, Any]], None], self._event_handlers[event])

        def handle_if_own(sid: str, *args: object) -> None:
            message = args[0] if len(args) == 1 else None
            if not isinstance(message, dict):
                self.refused["malformed"] += 1
            elif sid not in self._pages or message.get("client_id") != self._pages[sid]:
                self.refused["foreign"] += 1
            else:
                try:
                    handle(sid, message)
                except Exception:  # NiceGUI catches the errors of page handlers
                    self.refused["malformed"] += 1

        return handle_if_own

    def _is_within_limit(self, engine_id: str) -> bool:
        """Count an event of the socket's page; before the handshake, of its holder or network."""
        if socket := self._open.get(engine_id):
            try:
                self._event_limit.hit(self._pages.get(socket.sid, socket.holder or socket.address))
            except RateLimited:
                return False
        return True

    def _refuse_malformed(self, engine_id: str) -> None:
        self.refused["malformed"] += 1
        self.close_socket(engine_id)

    def _note_unread(self, socket: _Socket, address: str, size: int) -> None:
        if size < _UNCOUNTED_QUEUE_BYTES:
            self._connections.clear_unread(socket)
        elif size < _MAX_QUEUE_BYTES:
            self._connections.set_unread(socket, address=address, size=size)
        elif not socket.is_aborted:
            socket.is_aborted = True
            self.refused["unread"] += 1
            socket.abort()

    def _start_handshake_timer(self, engine_id: str) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _HANDSHAKE_TIMEOUT_SECONDS
        return loop.call_at(deadline, self._on_handshake_timeout, engine_id, deadline)

    def _on_handshake_timeout(self, engine_id: str, deadline: float) -> None:
        if asyncio.get_running_loop().time() - deadline > _MAX_TIMER_DELAY_SECONDS:
            # The event loop is late, so the handshake may have arrived but be unread.
            self._open[engine_id].handshake_timer = self._start_handshake_timer(engine_id)
            return
        self.refused["silent"] += 1
        self.close_socket(engine_id)


def _ignore(_sid: str, *_args: object) -> None:
    pass
